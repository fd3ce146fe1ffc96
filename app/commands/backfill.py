"""`mastery backfill`: what was in Canvas before the stream, from its exports to the raw topic."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import print_json, print_table

if TYPE_CHECKING:
    from app.backfill.events import Made
    from app.backfill.plan import Step
    from app.backfill.run import Backfill, Watcher
    from app.backfill.sinks import Sink
    from app.backfill.tally import Problems
    from app.settings import Settings

__all__ = ["backfill"]

_FILE = click.Path(dir_okay=False, path_type=Path)


class _Moment(click.ParamType):
    """A time of ISO 8601, as milliseconds since 1970; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from app.events.times import parse_time

        if isinstance(value, int):
            return value
        text = f"{value}T00:00:00Z" if len(value) == len("2026-01-12") else value
        try:
            moment: datetime = parse_time(text)
        except ValueError:
            self.fail(f"{value!r} is no time, such as 2026-01-12T08:00:00Z", param, ctx)
        return math.floor(moment.timestamp() * 1000)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE..."
)
@click.option("--kind", metavar="KIND", help="What all FILEs hold, if that is not plain from their fields.")
@click.option("--root-account", metavar="UUID", help="Uuid of the root account, as in live events.")
@click.option(
    "--root-account-id", metavar="ID", help="Its global id, as in live events: 21070000000000001 or such."
)
@click.option(
    "--as-of",
    type=_Moment(),
    metavar="TIME",
    default="2000-01-01T00:00:00Z",
    show_default=True,
    help="When things happened that an export tells no time of. Before the first live event.",
)
@click.option("--no-result-ids", is_flag=True, help="Results without ids, as an older Canvas sends them.")
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be sent.")
@click.option("--out", type=_FILE, help="Write the events to this file, one a line, instead of sending them.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Events a second, at most.",
)
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be used.")
@click.option(
    "--problems",
    "problems_file",
    type=_FILE,
    default="backfill-problems.jsonl",
    show_default=True,
    help="Rows that could not be used, and why.",
)
@click.option(
    "--state",
    "state_file",
    type=_FILE,
    default="backfill-state.json",
    show_default=True,
    help="How far it has come; removed at the end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def backfill(
    *,
    files: tuple[Path, ...],
    kind: str | None,
    root_account: str | None,
    root_account_id: str | None,
    as_of: int,
    no_result_ids: bool,
    dry_run: bool,
    out: Path | None,
    rate: float | None,
    strict: bool,
    problems_file: Path,
    state_file: Path,
    as_json: bool,
) -> None:
    """Send what Canvas had before the stream: outcomes, groups, links, scales and results from its exports.

    FILEs and folders hold tables of Canvas Data 2 (CSV, TSV, JSON lines, Parquet) or answers of the REST API
    (JSON), gzipped or not, in any order: what they are is seen from their fields. Definitions go first, then
    results. An event that Canvas sent itself is never overwritten. docs/backfill.md says how to get exports.

    Interrupted, it goes on where it was when called again in the same way. Rows that cannot be used are told,
    with file and line, and the exit status is 1.
    """
    from app.backfill.events import Institution
    from app.backfill.kinds import Kind
    from app.backfill.plan import export_files, steps
    from app.backfill.state import Progress, StateFile, fingerprint
    from app.backfill.tally import Problems
    from app.settings import load_settings

    if dry_run and out is not None:
        raise click.UsageError("--dry-run and --out exclude each other")
    if kind is not None and kind not in set(Kind):
        raise click.BadParameter(f"{kind} is none of {', '.join(Kind)}", param_hint="--kind")
    settings = load_settings()
    # What this command writes may lie beside what it reads.
    own = [problems_file, state_file, *([out] if out else [])]
    found = export_files(files, Kind(kind) if kind else None, without=own)
    plan = steps(found)
    institution = Institution(root_account, root_account_id, as_of, result_ids=not no_result_ids)
    place = str(out.resolve()) if out else [settings.broker, settings.raw_topic_name]
    options = [root_account, root_account_id, as_of, no_result_ids, kind, place, str(problems_file.resolve())]
    work = fingerprint([file.path for file in found], *options)
    state = None if dry_run else StateFile(state_file)
    progress = (state.load(work) if state else None) or Progress(work)
    if progress.step or progress.row:
        click.echo("going on where the run before ended", err=True)
    problems = Problems(None if dry_run else problems_file, progress.problem_bytes)
    try:
        with _sink(settings, out, progress.out_bytes, dry_run=dry_run) as sink, _bar(plan) as watcher:
            shown = _First(enabled=dry_run and not as_json)
            watcher.made = shown
            if rate is not None:
                from app.commands.sending import pace

                watcher.before = pace(rate)
            run = _backfill(settings, plan, institution, sink, problems, watcher, strict=strict)
            run.run(state, progress)
    finally:
        problems.close()
    if state is not None:
        state.remove()
    where = (
        "would be sent" if dry_run else f"written to {out}" if out else f"sent to {settings.raw_topic_name}"
    )
    _report(run, problems, shown, where, as_json=as_json)
    if run.tally.problems:
        if not as_json and not dry_run:
            click.echo(f"  -> all rows that could not be used are in {problems_file}", err=True)
        click.get_current_context().exit(1)


def _backfill(
    settings: "Settings",
    plan: "list[Step]",
    institution: Any,
    sink: "Sink",
    problems: "Problems",
    watcher: "Watcher",
    *,
    strict: bool,
) -> "Backfill":
    from app.backfill.run import Backfill
    from app.events.decode import EventDecoder
    from app.schemas.contract import load_contract
    from app.schemas.models import build_models

    contract = load_contract()
    return Backfill(
        plan,
        institution,
        sink,
        problems,
        check=EventDecoder(contract, build_models(contract)),
        most_bytes=settings.max_message_bytes,
        watcher=watcher,
        strict=strict,
    )


@contextmanager
def _sink(settings: "Settings", out: Path | None, size: int, *, dry_run: bool) -> Iterator["Sink"]:
    from app.backfill.sinks import FileSink, NoSink, TopicSink
    from app.commands.sending import raw_topic_sender

    if dry_run:
        yield NoSink()
    elif out is not None:
        file = FileSink(out, size)
        try:
            yield file
        finally:
            file.close()
    else:
        with raw_topic_sender(settings, lambda _accepted: None) as sender:
            yield TopicSink(sender)


@contextmanager
def _bar(plan: "list[Step]") -> Iterator["Watcher"]:
    """Show how many bytes of all readings are done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from app.backfill.run import Watcher

    sizes = [step.path.stat().st_size for step in plan]
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=sum(sizes))
        before = {id(step): sum(sizes[:number]) for number, step in enumerate(plan)}

        def show(step: "Step", done: int) -> None:
            bar.update(
                task,
                completed=before[id(step)] + done,
                description=f"{step.when.name.lower()}: {step.path.name}",
            )

        yield Watcher(progress=show)


class _First:
    """Keeps the first event of each name."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self.events: dict[str, bytes] = {}

    def __call__(self, made: "Made") -> None:
        if self._enabled:
            self.events.setdefault(made.name, made.raw)


def _report(run: "Backfill", problems: "Problems", shown: _First, where: str, *, as_json: bool) -> None:
    from app.backfill.errors import EXPLAINED, Skipped

    tally = run.tally
    counts = tally.as_dict()
    if as_json:
        print_json(counts)
        return
    for name, raw in shown.events.items():
        click.echo(f"the first {name}:\n  {raw.decode()}")
    if shown.events:
        click.echo("")
    skipped, wrong = _by_table(tally.skipped), _by_table(tally.problems)
    rows = [
        (table, read, tally.used[table], tally.sent_of[table], skipped.get(table, 0), wrong.get(table, 0))
        for table, read in sorted(tally.read.items())
    ]
    columns = ("ROWS OF", "READ", "LOOKED UP", "SENT", "SKIPPED", "PROBLEMS")
    print_table(columns, rows, right=columns[1:])
    for name, count in sorted(tally.skipped.items()):
        table, _, reason = name.partition(" ")
        click.echo(f"skipped {count} of {table}: {EXPLAINED[Skipped(reason)]}")
    for name, count in sorted(tally.sent.items()):
        click.echo(f"{count} {name}")
    total = tally.sent.total()
    click.echo(f"{total} {'event' if total == 1 else 'events'} {where}")
    for trouble in problems.first:
        click.echo(f"{trouble}", err=True)
    more = tally.problems.total() - len(problems.first)
    if problems.first and more > 0:
        click.echo(f"... and {more} more", err=True)


def _by_table(counts: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in counts.items():
        table = name.partition(" ")[0]
        found[table] = found.get(table, 0) + count
    return found

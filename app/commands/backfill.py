"""`mastery backfill`: what was in Canvas before the stream, from its exports to the raw topic."""

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.access import tasks
from app.access.tasks import Task
from app.commands.at_broker import at_broker
from app.commands.backfill_report import FirstEvents, progress_of, report
from app.commands.output import print_json
from app.settings import load_settings

if TYPE_CHECKING:
    from app.backfill.events import Institution
    from app.backfill.kinds import Kind
    from app.backfill.plan import ExportFile, Step
    from app.backfill.run import Backfill, Watcher
    from app.backfill.sinks import Sink
    from app.backfill.tally import Problems
    from app.settings import Settings
    from app.topics import Catalogue

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

    if dry_run and out is not None:
        raise click.UsageError("--dry-run and --out exclude each other")
    if kind is not None and kind not in set(Kind):
        raise click.BadParameter(f"{kind} is none of {', '.join(Kind)}", param_hint="--kind")
    call = _Call(
        files,
        Kind(kind) if kind else None,
        Institution(root_account, root_account_id, as_of, result_ids=not no_result_ids),
        out,
        None if dry_run else problems_file,
        None if dry_run else state_file,
        rate,
        dry_run=dry_run,
        strict=strict,
        as_json=as_json,
    )
    go = _go if dry_run or out else at_broker(_task)(_go)
    if go(load_settings(), call):
        click.get_current_context().exit(1)


def _task(settings: "Settings", catalogue: "Catalogue") -> Task:
    """What it needs at the broker."""
    return replace(tasks.send(settings, catalogue), name="mastery backfill")


@dataclass(frozen=True, slots=True)
class _Call:
    """What the user asked for. A dry run has no files to keep state and problems in."""

    paths: tuple[Path, ...]
    kind: "Kind | None"
    institution: "Institution"
    out: Path | None
    problems_file: Path | None
    state_file: Path | None
    rate: float | None
    dry_run: bool
    strict: bool
    as_json: bool

    def work(self, settings: "Settings", files: "list[ExportFile]") -> str:
        """Stands for what is to be done: only a call that does the same may go on with it."""
        from app.backfill.state import fingerprint

        place = [str(self.out.resolve())] if self.out else [settings.broker, settings.raw_topic_name]
        kept = str(self.problems_file.resolve()) if self.problems_file else None
        return fingerprint([file.path for file in files], self.kind, asdict(self.institution), place, kept)


def _go(settings: "Settings", call: _Call) -> bool:
    """Do it; True if there were problems."""
    from app.backfill.plan import export_files, steps
    from app.backfill.state import Progress, StateFile
    from app.backfill.tally import Problems
    from app.commands.sending import pace

    # What this command writes may lie beside what it reads.
    own = [path for path in (call.problems_file, call.state_file, call.out) if path is not None]
    found = export_files(call.paths, call.kind, without=own)
    plan, work = steps(found), call.work(settings, found)
    state = StateFile(call.state_file) if call.state_file else None
    progress = (state.load(work) if state else None) or Progress(work)
    if progress.counts:
        click.echo("going on where the run before ended", err=True)
    problems = Problems(call.problems_file, progress.problem_bytes)
    shown = FirstEvents(enabled=call.dry_run and not call.as_json)
    try:
        with _sink(settings, call, progress.out_bytes) as sink, progress_of(plan) as watcher:
            watcher.made = shown
            if call.rate is not None:
                watcher.before = pace(call.rate)
            run = _backfill(settings, plan, call, sink, problems, watcher)
            run.run(state, progress)
    except BaseException:
        if state is not None and state.path.exists():
            click.echo(f"cut off; the same call goes on from what stands in {state.path}", err=True)
        raise
    finally:
        problems.close()
    if state is not None:
        state.remove()
    if call.as_json:
        print_json(run.tally.as_dict())
    else:
        where = f"written to {call.out}" if call.out else f"sent to {settings.raw_topic_name}"
        report(run.tally, problems, shown, "would be sent" if call.dry_run else where)
        if run.tally.problems and call.problems_file:
            click.echo(f"  -> all rows that could not be used are in {call.problems_file}", err=True)
    return bool(run.tally.problems)


def _backfill(
    settings: "Settings",
    plan: "list[Step]",
    call: _Call,
    sink: "Sink",
    problems: "Problems",
    watcher: "Watcher",
) -> "Backfill":
    from app.backfill.run import Backfill
    from app.events.decode import EventDecoder
    from app.schemas.contract import load_contract
    from app.schemas.models import build_models

    contract = load_contract()
    return Backfill(
        plan,
        call.institution,
        sink,
        problems,
        check=EventDecoder(contract, build_models(contract)),
        most_bytes=settings.max_message_bytes,
        watcher=watcher,
        strict=call.strict,
    )


@contextmanager
def _sink(settings: "Settings", call: _Call, size: int) -> Iterator["Sink"]:
    """Where the events go; a file goes on behind `size` bytes."""
    from app.backfill.sinks import FileSink, NoSink, TopicSink
    from app.commands.sending import raw_topic_sender

    if call.dry_run:
        yield NoSink()
    elif call.out is not None:
        with closing(FileSink(call.out, size)) as file:
            yield file
    else:
        with raw_topic_sender(settings, lambda _accepted: None) as sender:
            yield TopicSink(sender)

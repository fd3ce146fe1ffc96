"""`mastery generate`: the events of a made-up school, and what must come out of them."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from app.commands.output import print_json, print_table

if TYPE_CHECKING:
    from app.school.stream import Plan
    from app.school.truth import Totals

__all__ = ["generate"]

_PATH = click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path)
# Canvas is from this century, and years must stay of four digits whatever follows.
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_MOST_RECORDS = 10**12
_RECORDS_PER_STUDENT = 80
_FEWEST_STUDENTS = 12
# Records between two looks at the progress bar.
_STEP = 500


class _Number(click.FloatRange):
    """A range of numbers without NaN, which no comparison keeps out, and without infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


@click.command()
@click.option("--out", type=_PATH, help="Write the records to this file, one a line; - for standard output.")
@click.option("--send", "sends", is_flag=True, help="Send the records to the raw topic.")
@click.option(
    "--truth", type=_PATH, help="Write what must become of each record to this file, as JSON lines."
)
@click.option(
    "--events",
    type=click.IntRange(1, _MOST_RECORDS),
    metavar="N",
    default=10_000,
    show_default=True,
    help="Records to make.",
)
@click.option(
    "--students",
    type=click.IntRange(min=1),
    metavar="N",
    help="Students of the school.  [default: one for 80 records]",
)
@click.option(
    "--accounts",
    type=click.IntRange(1, 99),
    metavar="N",
    default=3,
    show_default=True,
    help="Root accounts: the first has the newest Canvas, the second an older, the third the oldest.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=1,
    show_default=True,
    help="Another number is another school.",
)
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    default="2025-09-01",
    show_default=True,
    help="First day of the term.",
)
@click.option(
    "--days",
    type=click.IntRange(7, 3650),
    metavar="N",
    default=120,
    show_default=True,
    help="Days that the records run over.",
)
@click.option(
    "--bad-share",
    type=_Number(0, 0.9),
    metavar="X",
    default=0.01,
    show_default=True,
    help="Share of records that are broken, in every way there is.",
)
@click.option(
    "--rate",
    type=_Number(min=0, min_open=True),
    metavar="X",
    help="With --send: records a second, at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def generate(
    *,
    out: Path | None,
    sends: bool,
    truth: Path | None,
    events: int,
    students: int | None,
    accounts: int,
    seed: int,
    start: datetime,
    days: int,
    bad_share: float,
    rate: float | None,
    as_json: bool,
) -> None:
    """Make the events of a school: definitions and results over a term, as Canvas delivers them.

    Late, twice and out of order, in all forms that Canvas has sent, with broken records among them. The same
    options give the same bytes, wherever and whenever. Sizes change the school: the first thousand records of
    a million are not those of a thousand.

    --out writes each record's bytes as a line, and a record without a value (null) as an empty line;
    `mastery send --lines FILE` sends such a file. --truth says for each record, by its number, what must come
    out of the fan-out: topic, key and decoded content, or what is wrong with it.
    """
    _check(out, truth, rate, sends=sends)
    if not _FIRST_YEAR <= start.year <= _LAST_YEAR:
        raise click.BadParameter(f"not from {_FIRST_YEAR} to {_LAST_YEAR}", param_hint="--start")
    from app.school.stream import Plan

    students = students or max(_FEWEST_STUDENTS, events // _RECORDS_PER_STUDENT)
    plan = Plan(seed, events, students, accounts, start.date(), days, bad_share)
    aside = Path("-") in {out, truth}
    began = time.monotonic()
    with ExitStack() as stack:
        takers: list[Callable[[bytes | None], object]] = []
        if sends:
            takers += _senders(stack, rate, aside=aside or as_json)
        if out is not None:
            takers.append(_line_writer(_open(stack, out)))
        tell = _teller(_open(stack, truth)) if truth is not None else _tell_nobody
        totals = _make(plan, takers, tell, step=_step(rate))
    seconds = max(time.monotonic() - began, 0.001)
    if as_json and not aside:
        print_json(totals.as_dict() | {"seconds": round(seconds, 3)})
        return
    if not aside:
        _print_totals(totals)
    click.echo(
        f"{totals.records} records of {students} students and {accounts} root accounts, seed {seed}: "
        f"{seconds:.1f} s, {totals.records / seconds:,.0f} a second",
        err=aside,
    )


def _check(out: Path | None, truth: Path | None, rate: float | None, *, sends: bool) -> None:
    if out is None and not sends:
        raise click.UsageError("nowhere to put the records: give --out FILE, --out - or --send")
    if rate is not None and not sends:
        raise click.UsageError("--rate goes with --send")
    if truth is not None and out is not None and _same_file(truth, out):
        raise click.UsageError("--out and --truth are the same file")


def _same_file(one: Path, other: Path) -> bool:
    """Also by way of links; a file that is not there yet has no others than symbolic ones."""
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)


def _step(rate: float | None) -> int:
    return _STEP if rate is None else max(1, min(_STEP, int(rate / 5)))


def _make(
    plan: "Plan",
    takers: list[Callable[[bytes | None], object]],
    tell: Callable[[bytes], object],
    *,
    step: int,
) -> "Totals":
    """Make the records, one at a time, and hand each on. Every `step` of them is shown."""
    from app.commands.sending import progress_bar
    from app.school.stream import school_records
    from app.school.truth import Totals, record_line, stream_line

    totals = Totals()
    tell(stream_line(plan, plan.events))
    with progress_bar(plan.events) as progress:
        task = progress.add_task("making records", total=plan.events)
        for number, record in enumerate(islice(school_records(plan), plan.events)):
            for take in takers:
                take(record.raw)
            if tell is not _tell_nobody:
                tell(record_line(number, record))
            totals.count(record)
            if number % step == 0:
                progress.update(task, completed=number)
    tell(totals.line())
    return totals


def _senders(stack: ExitStack, rate: float | None, *, aside: bool) -> list[Callable[[bytes | None], object]]:
    """Return what sends a record, no faster than `rate`. Leaving the stack waits until the broker has all."""
    from app.access import tasks
    from app.commands.at_broker import with_broker
    from app.commands.sending import pace, raw_topic_sender
    from app.settings import load_settings

    settings = load_settings()
    stack.enter_context(
        with_broker(settings, lambda *ours: replace(tasks.send(*ours), name="mastery generate --send"))
    )

    def report(accepted: int) -> None:
        click.echo(f"{accepted} records sent to {settings.raw_topic_name}", err=aside)

    sender = stack.enter_context(raw_topic_sender(settings, report))
    if rate is None:
        return [sender.send]
    wait = pace(rate)
    return [lambda _raw: wait(), sender.send]


def _line_writer(stream: BinaryIO) -> Callable[[bytes | None], object]:
    from app.raw_lines import to_line

    write = stream.write
    return lambda raw: write(to_line(raw))


def _teller(stream: BinaryIO) -> Callable[[bytes], object]:
    write = stream.write
    return lambda line: write(line + b"\n")


def _tell_nobody(_line: bytes) -> None:
    pass


def _open(stack: ExitStack, path: Path) -> BinaryIO:
    if str(path) == "-":
        return click.get_binary_stream("stdout")
    try:
        return stack.enter_context(path.open("wb"))
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None


def _print_totals(totals: "Totals") -> None:
    rows = [
        (to, name, count)
        for to, counter in (
            ("typed", totals.typed),
            ("dead-letter", totals.dead),
            ("ignored", totals.ignored),
        )
        for name, count in sorted(counter.items())
    ]
    print_table(("TO", "EVENT OR KIND", "RECORDS"), rows, right=("RECORDS",))

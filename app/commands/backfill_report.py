"""What `mastery backfill` shows: a bar while it works, counts and problems at the end."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from app.commands.output import print_table

if TYPE_CHECKING:
    from app.backfill.events import Made
    from app.backfill.plan import Step
    from app.backfill.run import Watcher
    from app.backfill.tally import Problems, Tally

__all__ = ["FirstEvents", "progress_of", "report"]


@contextmanager
def progress_of(plan: "Sequence[Step]") -> Iterator["Watcher"]:
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


class FirstEvents:
    """Keeps the first event of each name."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self.events: dict[str, bytes] = {}

    def __call__(self, made: "Made") -> None:
        """Look at one."""
        if self._enabled:
            self.events.setdefault(made.name, made.raw)


def report(tally: "Tally", problems: "Problems", shown: FirstEvents, what: str) -> None:
    """Print first events, counts, `what` became of the events, and the first problems."""
    for name, raw in shown.events.items():
        click.echo(f"the first {name}:\n  {raw.decode()}")
    if shown.events:
        click.echo()
    _print_counts(tally)
    total = tally.sent.total()
    click.echo(f"{total} {'event' if total == 1 else 'events'} {what}")
    for trouble in problems.first:
        click.echo(f"{trouble}", err=True)
    if (more := tally.problems.total() - len(problems.first)) and problems.first:
        click.echo(f"... and {more} more", err=True)


def _print_counts(tally: "Tally") -> None:
    from app.backfill.errors import EXPLAINED, Skipped

    skipped, wrong = _by_table(tally.skipped), _by_table(tally.problems)
    rows = [
        (table, read, tally.used[table], tally.sent_of[table], skipped[table], wrong[table])
        for table, read in sorted(tally.read.items())
    ]
    columns = ("ROWS OF", "READ", "LOOKED UP", "SENT", "SKIPPED", "PROBLEMS")
    print_table(columns, rows, right=columns[1:])
    for name, count in sorted(tally.skipped.items()):
        table, _, reason = name.partition(" ")
        click.echo(f"skipped {count} of {table}: {EXPLAINED[Skipped(reason)]}")
    for name, count in sorted(tally.sent.items()):
        click.echo(f"{count} {name}")


def _by_table(counts: Mapping[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in counts.items():
        found[name.partition(" ")[0]] += count
    return found

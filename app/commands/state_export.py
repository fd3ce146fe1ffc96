"""`mastery state export`: all rows of mastery, for a spreadsheet or another program."""

import csv
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import json_line
from app.commands.rows import COURSE_FIELDS, FIELDS, row_json, row_lines
from app.formulas import harmless
from app.settings import load_settings
from app.state.query import all_rows

__all__ = ["export"]

_PATH = click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path)
_STANDARD_OUTPUT = Path("-")
#: Seconds between two lines about the progress.
_TELL_EVERY = 1.0


@click.command()
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option(
    "--out", type=_PATH, default=_STANDARD_OUTPUT, help="The file; - for standard output, the default."
)
@click.option("--account", metavar="UUID", help="Rows of this root account alone.")
@click.option("--courses", is_flag=True, help="CSV: after each row, a line for each of its courses.")
@at_broker(tasks.export)
def export(form: str, out: Path, account: str | None, courses: bool) -> None:
    """Write all rows to a file, in no order.

    The fields are those of the topic outcome_mastery. In CSV the courses are left out, or have lines of their
    own (--courses) with course_id filled, and ' stands before a text that a spreadsheet would take for a
    formula. What is read is all that the workers have committed; they may go on meanwhile. The file is there
    when all of it is written, readable by you alone.
    """
    if courses and form != "csv":
        raise click.UsageError("--courses goes with --format csv: JSON lines have the courses anyway")
    settings = load_settings()
    with _Progress() as progress, _opened(out) as file:
        rows = all_rows(settings, account, progress.read)
        if form == "csv":
            fields = (*FIELDS, *COURSE_FIELDS) if courses else FIELDS
            writer = csv.DictWriter(file, fields, restval="", lineterminator="\n")
            writer.writeheader()
            for stored in rows:
                writer.writerows(map(_harmless, row_lines(stored.row, courses=courses)))
                progress.written += 1
        else:
            for stored in rows:
                file.write(json_line(row_json(stored.row)) + "\n")
                progress.written += 1
    click.echo(f"{progress.written} rows written", err=True)


def _harmless(line: dict[str, Any]) -> dict[str, Any]:
    """Keep spreadsheets from computing what somebody put into a title."""
    return {name: harmless(value) for name, value in line.items()}


class _Progress:
    """Tells a person at a terminal how far it is."""

    def __init__(self) -> None:
        self.written = 0
        self._read = 0
        self._shown = sys.stderr.isatty() and not sys.stdout.isatty()
        self._told_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\033[K", nl=False, err=True)

    def read(self, records: int) -> None:
        """Count records read."""
        self._read += records
        if self._shown and time.monotonic() > self._told_at + _TELL_EVERY:
            self._told_at = time.monotonic()
            click.echo(f"\r\033[K{self._read} records read, {self.written} rows written", nl=False, err=True)


@contextmanager
def _opened(out: Path) -> Iterator[IO[str]]:
    """Open standard output, or a file that takes its name when all is written, and goes if that fails."""
    if out == _STANDARD_OUTPUT:
        file = click.get_text_stream("stdout")
        yield file
        file.flush()
        return
    part = out.with_name(f".{out.name}.part")
    try:
        # These are marks of students.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(out)
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from None
    finally:
        part.unlink(missing_ok=True)

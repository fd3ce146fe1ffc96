"""What the commands print: tables for a person, JSON for a script."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

__all__ = ["json_line", "print_json", "print_table"]


def json_line(value: Any) -> str:
    """Return JSON on one line, characters unchanged but for half surrogate pairs, which UTF-8 has not."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    # As \ud83d: what JSON writes them as, too.
    return text.encode("utf-8", "backslashreplace").decode()


def print_json(value: Any) -> None:
    """Print one JSON value on one line and let it go at once."""
    click.echo(json_line(value))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """Print a table: fitted to the terminal, or in full width without colours where there is none.

    `right` names the columns that are set flush right. None is shown as `-`.
    """
    texts = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in texts:
            table.add_row(*row)
        Console().print(table, markup=False)
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row in [list(columns), *texts]:
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(columns, row, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())

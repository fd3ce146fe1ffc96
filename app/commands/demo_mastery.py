"""How `mastery demo` shows the rows of mastery."""

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from app.commands.output import print_table

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

    from app.embedded.mastery_view import MasteryView, RowChange

__all__ = ["change_line", "first_pages", "mastery_json", "mastery_summary", "mastery_table", "print_mastery"]

_COLUMNS = ("STUDENT", "OUTCOME", "SCORE", "OF", "MASTERY", "LEVEL", "RESULTS", "METHOD")
_RIGHT = ("SCORE", "OF", "RESULTS")
_ROWS = 5
# Characters of a student's identifier that are enough to tell a few apart.
_SHORT = 8


def mastery_summary(view: "MasteryView") -> str:
    """Say in a line how many students and outcomes there are, and how they stand."""
    return (
        f"{len(view.rows)} rows in {view.topic}: {view.students} students on {view.outcomes} outcomes;"
        f" {view.count(True)} mastered, {view.count(False)} not, {view.count(None)} without a score"
    )


def print_mastery(view: "MasteryView") -> None:
    """Print the summary, the rows with most results, and the last change."""
    click.echo(f"\n{mastery_summary(view)}\n")
    most = sorted(view.rows.values(), key=lambda row: -row["results_count"])[:_ROWS]
    print_table(_COLUMNS, [_cells(row) for row in most], right=_RIGHT)
    if view.changes:
        click.echo(f"\nlast change: {change_line(view.changes[-1])}")


def first_pages(view: "MasteryView", web: str) -> list[str]:
    """Addresses of pages to start with: the overview, the student with most results, the fullest course."""
    pages = [f"{web}/"]
    students, courses = Counter[str](), Counter[tuple[str, str]]()
    for row in view.rows.values():
        students[row["user_uuid"]] += row["results_count"]
        courses.update((row["root_account_uuid"], course["course_id"]) for course in row["courses"])
    pages += [f"{web}/users/{quote(user, safe='')}" for user, _ in students.most_common(1)]
    for (account, course), _ in courses.most_common(1):
        pages.append(f"{web}/courses/{quote(course, safe='')}?account={quote(account, safe='')}")
    return pages


def mastery_json(view: "MasteryView") -> dict[str, Any]:
    """The same for a script."""
    return {
        "topic": view.topic,
        "records": view.records,
        "sample": next(iter(view.rows.values()), None),
        "rows": len(view.rows),
        "students": view.students,
        "outcomes": view.outcomes,
    }


def mastery_table(view: "MasteryView", most: int) -> "Table":
    """A table of what changed last, the newest first and so many at most, with the summary above."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"\n{mastery_summary(view)}", title_justify="left", expand=True, box=None)
    for name in ("LAST CHANGED", *_COLUMNS[1:]):
        side: JustifyMethod = "right" if name in _RIGHT else "left"
        table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis")
    for change in list(reversed(view.changes))[:most]:
        cells = ["-" if cell is None else str(cell) for cell in _cells(change.after)]
        before = None if change.before is None else change.before["score"]
        if change.before is not None and before != change.after["score"]:
            cells[2] = f"{'-' if before is None else f'{before:g}'} → {cells[2]}"
        table.add_row(*map(escape, cells))
    return table


def change_line(change: "RowChange") -> str:
    """Say in a line what changed."""
    after, before = change.after, change.before
    whose = f"student {after['user_uuid'][:_SHORT]}… on {_outcome(after)}"
    results = f"{after['results_count']} result{'' if after['results_count'] == 1 else 's'}"
    if before is None:
        return f"{whose}: {_standing(after)}, of {results}"
    if _standing(before) == _standing(after):
        return f"{whose}: still {_standing(after)}, of {results}"
    return f"{whose}: from {_standing(before)} to {_standing(after)}, of {results}"


def _standing(row: dict[str, Any]) -> str:
    if row["score"] is None:
        return "no score"
    return f"{row['score']:g} ({'mastered' if row['mastery'] else 'not mastered'})"


def _outcome(row: dict[str, Any]) -> str:
    return f"{row['learning_outcome_id']} {row['outcome_title'] or '(title unknown)'}"


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    score, possible = row["score"], row["points_possible"]
    return (
        f"{row['user_uuid'][:_SHORT]}…",
        _outcome(row),
        None if score is None else f"{score:g}",
        None if possible is None else f"{possible:g}",
        {True: "yes", False: "no", None: None}[row["mastery"]],
        row["rating"],
        row["results_count"],
        row["calculation_method"],
    )

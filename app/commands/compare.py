"""`mastery compare`: Canvas's own roll-ups of a course beside ours."""

import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec

import click

from app.access import tasks
from app.backlog import read_backlog
from app.commands.at_broker import at_broker
from app.commands.compare_report import print_csv, print_json_lines, print_report
from app.commands.sending import progress_bar
from app.compare.canvas import CanvasRollups, read_rollups
from app.compare.errors import CompareTrouble
from app.compare.gradebook import is_csv, read_gradebook
from app.compare.pairs import Comparison
from app.compare.pairs import compare as compare_scores
from app.compare.users import read_users
from app.errors import MasteryError
from app.reader import partitions_of
from app.settings import Settings, load_settings
from app.state.query import all_rows

__all__ = ["compare"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TROUBLE = 2
_SHOWN = 20

P = ParamSpec("P")


def _trouble_is_two(command: Callable[P, None]) -> Callable[P, None]:
    """1 says that something differs, as with `diff`; so trouble of any kind is 2."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except MasteryError as error:
            click.echo(error.report, err=True)
            click.get_current_context().exit(_TROUBLE)

    return wrapper


@click.command("compare")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option(
    "--users",
    multiple=True,
    type=_FILE,
    help="Which uuid each of Canvas's user ids has; may be repeated. Unset: MASTERY_WEB_ROSTER.",
)
@click.option("--course", metavar="ID", help="Canvas's id of the course, if FILE does not tell it.")
@click.option("--account", metavar="UUID", help="The root account, if several have such a course.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_SHOWN,
    show_default=True,
    help="Print this many of those that are not equal; all are counted.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print all of those as JSON lines, the last with totals."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print all pairs as CSV, equal ones too.")
@_trouble_is_two
@at_broker(tasks.compare)
def compare(
    files: tuple[Path, ...],
    users: tuple[Path, ...],
    course: str | None,
    account: str | None,
    limit: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Compare Canvas's own roll-ups of one course with the scores here, student by student.

    FILE is the answer of Canvas's REST API to GET /api/v1/courses/:id/outcome_rollups, a file for each page
    or all in one; or the CSV that the Learning Mastery Gradebook exports. docs/compare.md says how to get
    them.

    Where a score differs, both are printed, the results behind ours, and why they may differ.

    Exit status: 0 all are equal; 1 some differ, or could not be compared; 2 trouble.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    settings = load_settings()
    canvas = _read(files)
    course_id = _course(canvas, course)
    uuids = _uuids(settings, canvas, users)
    left = _left(settings)
    with progress_bar(None) as progress:
        task = progress.add_task("reading rows", total=None)
        made = compare_scores(
            canvas, uuids, all_rows(settings, account, lambda n: progress.advance(task, n)), course_id
        )
    _say_what_lacks(canvas, made, left)
    if as_json:
        print_json_lines(canvas, made, left)
    elif as_csv:
        print_csv(made)
    else:
        print_report(made, limit)
    click.get_current_context().exit(0 if made.same else 1)


def _read(files: tuple[Path, ...]) -> CanvasRollups:
    kinds = {is_csv(path) for path in files}
    if len(kinds) > 1:
        raise CompareTrouble("some files are CSV and some are not", hint="compare one kind at a time")
    return read_gradebook(files) if kinds == {True} else read_rollups(files)


def _course(canvas: CanvasRollups, named: str | None) -> str:
    if named is not None:
        if canvas.courses and named not in canvas.courses:
            raise CompareTrouble(f"the roll-ups are not of course {named}: they name {_list(canvas.courses)}")
        return named
    if len(canvas.courses) == 1:
        return next(iter(canvas.courses))
    raise CompareTrouble(
        f"the files are of several courses: {_list(canvas.courses)}"
        if canvas.courses
        else "the files do not say which course they are of",
        hint="--course ID, as in the address of the course in Canvas; or ask Canvas with include[]=courses",
    )


def _uuids(settings: Settings, canvas: CanvasRollups, users: tuple[Path, ...]) -> dict[str, str]:
    """The uuids by Canvas's user id. The roster of the web view is asked, if it happens to know the ids."""
    found = canvas.uuids | read_users(users, canvas.users)
    if not users and settings.web_roster and not canvas.users <= found.keys():
        with suppress(CompareTrouble):
            found |= read_users([settings.web_roster], canvas.users)
    if canvas.users and canvas.users.isdisjoint(found):
        raise CompareTrouble(
            "nothing tells which uuid Canvas's user ids have, and events name students by uuid",
            hint="--users FILE: the answer to GET /api/v1/courses/:id/users?include[]=uuid&per_page=100, or a"
            " CSV file with id and uuid",
        )
    return found


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _left(settings: Settings) -> int:
    """How many records workers have still to do: of those Canvas may know already."""
    inputs = partitions_of(settings, settings.input_topics)
    return sum(entry.lag for entry in read_backlog(settings, inputs))


def _say_what_lacks(canvas: CanvasRollups, made: Comparison, left: int) -> None:
    if left:
        click.echo(
            f"warning: up to {left} records are still to be processed, so Canvas may know more"
            "\n  -> `mastery status --wait-idle 60`, and compare again",
            err=True,
        )
    if not canvas.complete:
        click.echo(
            f"warning: the files have {len(canvas.pages)} of {canvas.page_count} pages; students who are not"
            " in them are not compared\n  -> fetch all pages: the Link header names the next one",
            err=True,
        )
    if not made.pairs and not made.unknown_users:
        click.echo(f"warning: neither side has scores in course {made.course_id}: is the id right?", err=True)

"""`mastery show`: how a student stands, and the results behind each score."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from app.access import tasks
from app.backlog import read_backlog
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.commands.results import RESULT_COLUMNS, RESULT_NUMBERS, result_cells, result_json
from app.commands.rows import row_json, time_text
from app.errors import MasteryError
from app.mastery.explain import ExplainedScore, Explanation, explain, number_text
from app.mastery.resolve import DefinitionState
from app.mastery.row import Row
from app.reader import partitions_of
from app.settings import Settings, load_settings
from app.state.query import StoredRow, rows_of_student

__all__ = ["NoSuchRow", "show"]

_NOTES: Mapping[str, str] = {
    DefinitionState.ASSUMED: "some of it is Canvas's default, as no event has told of it",
    DefinitionState.INVALID: "what events tell cannot be computed with; something else stands in for a part",
}


class NoSuchRow(MasteryError):
    """Nothing is known of this student, or not of that outcome."""


@click.command()
@click.option("--user", metavar="UUID", required=True, help="The student: user_uuid of the results.")
@click.option("--outcome", metavar="ID", help="This outcome alone.")
@click.option("--account", metavar="UUID", help="Of this root account alone; much less is read then.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line and outcome.")
@at_broker(tasks.show, "as_json")
def show(user: str, outcome: str | None, account: str | None, as_json: bool) -> None:
    """Show a student's outcomes: score by course, the formula with its numbers, and the results behind it.

    What is shown is all that the workers have committed, read from the state's changelog; no worker is asked.
    The score of the course is what Canvas shows. A value is what a result is worth on the outcome's scale.
    """
    settings = load_settings()
    rows = [
        row
        for row in rows_of_student(settings, user, account)
        if outcome in (None, row.key.learning_outcome_id)
    ]
    if not rows:
        what = f"outcome {outcome} of student {user}" if outcome else f"student {user}"
        where = f" in root account {account}" if account else ""
        raise NoSuchRow(
            f"there are no results of {what}{where}",
            hint="`mastery status` tells whether events are still to be processed;"
            " `mastery state export` lists all students",
        )
    explained = [(row, explain(row.results, row.row)) for row in rows]
    if as_json:
        for stored, explanation in explained:
            print_json(_as_json(stored, explanation))
        return
    for number, (stored, explanation) in enumerate(explained):
        _print(stored, explanation, before=explained[number - 1][0] if number else None)
    click.echo(_freshness(settings, rows))


def _freshness(settings: Settings, rows: Iterable[StoredRow]) -> str:
    changed = time_text(max(row.written_at for row in rows))
    backlog = read_backlog(settings, partitions_of(settings, settings.input_topics))
    left = sum(entry.lag for entry in backlog)
    todo = (
        "nothing is left to be processed"
        if all(entry.idle for entry in backlog)
        else f"up to {left} records are still to be processed"
    )
    return f"last change {changed}; {todo}"


def _print(stored: StoredRow, explanation: Explanation, before: StoredRow | None) -> None:
    row = stored.row
    if before is None or before.row.root_account_uuid != row.root_account_uuid:
        click.echo(f"Student {row.user_uuid}, root account {row.root_account_uuid}\n")
    click.secho(f"Outcome {row.learning_outcome_id}: {row.outcome_title or '(title unknown)'}", bold=True)
    scores = [*explanation.courses, explanation.whole]
    names = [f"course {one.course_id}" if one.course_id else "all courses" for one in scores]
    width = max(map(len, names))
    for name, one in zip(names, scores, strict=True):
        if one is explanation.whole and len(scores) == 2 and one.is_like(scores[0]):
            click.echo(f"  {name:{width}}  the same{_rating_text(row)}")
            break
        rating = _rating_text(row) if one is explanation.whole else ""
        click.echo(f"  {name:{width}}  {_score_text(one)}{rating}")
        click.echo(f"  {'':{width}}  {one.formula}")
    click.echo(f"  definition   {_definition_text(row)}")
    if row.definition_state in _NOTES:
        click.echo(f"               {_NOTES[row.definition_state]}")
    click.echo()
    print_table(RESULT_COLUMNS, [result_cells(one) for one in explanation.results], right=RESULT_NUMBERS)
    if former := stored.results.former_works:
        click.echo(
            f"  {len(former)} works that results named earlier: results without id of them are not taken"
        )
    click.echo()


def _score_text(one: ExplainedScore) -> str:
    text = "no score" if one.score is None else number_text(one.score)
    if one.mastery is not None:
        text += ", mastered" if one.mastery else ", not mastered"
    return f"{text} ({one.results_count} result{'' if one.results_count == 1 else 's'})"


def _rating_text(row: Row) -> str:
    return "" if row.rating is None else f": {row.rating}"


def _definition_text(row: Row) -> str:
    if row.calculation_method is None or row.mastery_points is None or row.points_possible is None:
        return "unknown: no event has told of this outcome, so there is no score"
    n = "" if row.calculation_int is None else f" {row.calculation_int}"
    since = "" if row.definition_time is None else f", of {time_text(row.definition_time)}"
    return (
        f"{row.definition_state}; {row.calculation_method}{n}, mastery at {number_text(row.mastery_points)}"
        f" of {number_text(row.points_possible)}, scale of the {row.scale_source};"
        f" version {row.definition_version}{since}"
    )


def _as_json(stored: StoredRow, explanation: Explanation) -> dict[str, Any]:
    shown = row_json(stored.row)
    shown["formula"] = explanation.whole.formula
    for course, one in zip(shown["courses"], explanation.courses, strict=True):
        course["formula"] = one.formula
    shown["results"] = [result_json(one) for one in explanation.results]
    shown["changed_at"] = time_text(stored.written_at)
    return shown

"""`mastery show`: how a student stands, and the results behind each score."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from app.access import tasks
from app.backlog import read_backlog
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.commands.rows import row_json, time_text
from app.errors import MasteryError
from app.mastery.explain import ExplainedResult, ExplainedScore, Explanation, explain, number_text
from app.mastery.resolve import DefinitionState
from app.mastery.row import Row
from app.reader import topic_partitions
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
    topics = topic_partitions(settings)
    backlog = read_backlog(
        settings,
        [(topic, partition) for topic in settings.input_topics for partition in topics.get(topic, [])],
    )
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
    columns = ("  RESULT", "COURSE", "ASSESSED", "SCORE", "OF", "PERCENT", "VALUE", "COUNTS")
    print_table(
        columns,
        [_cells(one) for one in explanation.results],
        right=("SCORE", "OF", "PERCENT", "VALUE"),
    )
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


def _cells(one: ExplainedResult) -> tuple[str | None, ...]:
    held = one.snapshot
    work = f"{held.work.artifact_type.rpartition('::')[2]} {held.work.artifact_id}"
    numbers = [None if x is None else number_text(x) for x in (held.score, held.possible)]
    return (
        f"  {held.id or f'without id: {work}'}",
        held.course_id,
        None if held.assessed_at is None else time_text(held.assessed_at),
        *numbers,
        None if held.percent is None else f"{number_text(held.percent * 100)} %",
        None if one.value is None else number_text(one.value),
        "yes" if one.why_not is None else f"no: {one.why_not}",
    )


def _as_json(stored: StoredRow, explanation: Explanation) -> dict[str, Any]:
    shown = row_json(stored.row)
    shown["formula"] = explanation.whole.formula
    for course, one in zip(shown["courses"], explanation.courses, strict=True):
        course["formula"] = one.formula
    shown["results"] = [_result_json(one) for one in explanation.results]
    shown["changed_at"] = time_text(stored.written_at)
    return shown


def _result_json(one: ExplainedResult) -> dict[str, Any]:

    held, version = one.snapshot, one.snapshot.version
    return {
        "id": held.id,
        "artifact_type": held.work.artifact_type,
        "artifact_id": held.work.artifact_id,
        "associated_asset_type": held.work.asset_type,
        "associated_asset_id": held.work.asset_id,
        "course_id": held.course_id,
        "assessed_at": time_text(held.assessed_at),
        "score": held.score,
        "possible": held.possible,
        "percent": held.percent,
        "value": one.value,
        "weight": one.weight,
        "counts": one.why_not is None,
        "why_not": one.why_not,
        "updated_at": time_text(version.updated_at) if version.updated else None,
        "event_time": time_text(version.event_time),
        "event_id": version.event_id.hex(),
    }

"""What `mastery compare` prints."""

import csv
from typing import Any

import click

from app.commands.output import print_json, print_table
from app.commands.results import RESULT_COLUMNS, RESULT_NUMBERS, result_cells, result_json
from app.compare.canvas import CanvasRollups
from app.compare.pairs import Comparison, Pair, State
from app.compare.reasons import reasons
from app.formulas import harmless
from app.mastery.explain import ExplainedScore, explain, number_text

__all__ = ["print_csv", "print_json_lines", "print_report"]

_LABELS = {
    State.EQUAL: "equal",
    State.DIFFERENT: "different",
    State.ONLY_IN_CANVAS: "only in Canvas",
    State.ONLY_HERE: "only here",
}
_MOST_NAMED = 10


def print_report(made: Comparison, limit: int) -> None:
    """Print the pairs that are not equal, at most `limit`, and the counts."""
    uneven = _uneven(made)
    for pair in uneven[:limit]:
        _print_pair(pair)
    if len(uneven) > limit:
        click.echo(f"... and {len(uneven) - limit} more (--limit, --json or --csv show them)\n")
    counts = made.counts
    students = len({pair.user_uuid for pair in made.pairs})
    outcomes = len({pair.outcome for pair in made.pairs})
    click.echo(
        f"course {made.course_id}: {len(made.pairs)} scores of {students} students on {outcomes} outcomes"
    )
    for state, label in _LABELS.items():
        click.echo(f"  {label:15}{counts[state]:8}")
    if made.unknown_users:
        count = len(made.unknown_users)
        named = ", ".join(made.unknown_users[:_MOST_NAMED]) + (", ..." if count > _MOST_NAMED else "")
        click.echo(f"not compared: students of Canvas whose uuid is not known: {count} ({named})")
    if made.left_out:
        click.echo(f"not compared: students who are here and not in these files: {len(made.left_out)}")
    for title, count in made.unknown_outcomes.items():
        why = f"{count} outcomes have that title" if count else "no outcome here has that title"
        click.echo(f"not compared: column {title}: {why}")


def print_json_lines(canvas: CanvasRollups, made: Comparison, left: int) -> None:
    """Print the pairs that are not equal, and a line with totals."""
    for pair in _uneven(made):
        print_json(_as_json(pair))
    counts = {state.value.replace("-", "_"): made.counts[state] for state in State}
    print_json(
        {
            "course_id": made.course_id,
            "compared": len(made.pairs),
            **counts,
            "unknown_users": made.unknown_users,
            "unknown_outcomes": made.unknown_outcomes,
            "left_out": len(made.left_out),
            "complete": canvas.complete,
            "unprocessed": left,
        }
    )


def print_csv(made: Comparison) -> None:
    """Print all pairs, those that are not equal first."""
    output = click.get_text_stream("stdout")
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(
        [
            *("state", "user_uuid", "canvas_user_id", "learning_outcome_id", "outcome_title"),
            *("canvas_score", "canvas_results", "score", "results", "why"),
        ]
    )
    for pair in [*_uneven(made), *(pair for pair in made.pairs if pair.state is State.EQUAL)]:
        theirs, ours = pair.canvas, pair.course
        cells = [
            *(pair.state.value, pair.user_uuid, pair.canvas_user_id, pair.outcome, pair.title),
            *((theirs.score, theirs.count) if theirs else (None, None)),
            *((ours.score, ours.results_count) if ours else (None, None)),
            "; ".join(reasons(pair)),
        ]
        writer.writerow([harmless(cell) for cell in cells])
    output.flush()


def _uneven(made: Comparison) -> list[Pair]:
    return [pair for pair in made.pairs if pair.state is not State.EQUAL]


def _print_pair(pair: Pair) -> None:
    click.secho(
        f"{_LABELS[pair.state]}: student {pair.user_uuid}, outcome {pair.outcome}"
        f" {pair.title or '(title unknown)'}",
        bold=True,
    )
    theirs, ours = pair.canvas, pair.course
    click.echo(f"  Canvas  {_side(theirs.score if theirs else None, theirs.count if theirs else 0)}")
    click.echo(f"  here    {_side(ours.score if ours else None, ours.results_count if ours else 0)}")
    score = _explained(pair)
    if score is not None:
        click.echo(f"          {score.formula}")
    for reason in reasons(pair):
        click.echo(f"  why     {reason}")
    if score is not None and score.results:
        click.echo()
        print_table(RESULT_COLUMNS, [result_cells(one) for one in score.results], right=RESULT_NUMBERS)
    click.echo()


def _side(score: float | None, count: int | None) -> str:
    text = "no score" if score is None else number_text(score)
    if count is None:
        return text
    return f"{text} ({count} result{'' if count == 1 else 's'})"


def _explained(pair: Pair) -> ExplainedScore | None:
    """How our score in the course came about."""
    if pair.stored is None or pair.course is None:
        return None
    for score in explain(pair.stored.results, pair.stored.row).courses:
        if score.course_id == pair.course.course_id:
            return score
    return None


def _as_json(pair: Pair) -> dict[str, Any]:
    score = _explained(pair)
    theirs, ours = pair.canvas, pair.course
    return {
        "state": pair.state.value,
        "user_uuid": pair.user_uuid,
        "canvas_user_id": pair.canvas_user_id,
        "learning_outcome_id": pair.outcome,
        "outcome_title": pair.title,
        "canvas": {"score": theirs.score, "results_count": theirs.count} if theirs else None,
        "here": {"score": ours.score, "results_count": ours.results_count} if ours else None,
        "formula": score.formula if score else None,
        "why": reasons(pair),
        "results": [result_json(one) for one in score.results] if score else [],
    }

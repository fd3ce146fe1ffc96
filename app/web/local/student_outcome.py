"""One outcome of a student, explained: each score with its formula, each result with its weight."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from app.definitions.lookup import Lookup
from app.mastery.explain import ExplainedResult, ExplainedScore, explain
from app.mastery.results import Results
from app.mastery.row import Row
from app.mastery.snapshot import ResultSnapshot, Work
from app.web.local.scales import Scales, ShownScale
from app.web.models.mastery import CourseScoreDetail, ResultDetail, ResultState, StudentOutcome

__all__ = ["shown_outcome"]

_WHY: Final = {
    ResultState.DELETED: "deleted in Canvas; it counts again if Canvas says that it is active",
    ResultState.SUPERSEDED: "created as deleted: Canvas does so with a second result of the same work, and"
    " keeps the first",
    ResultState.CLEARED: "it has no score: it was cleared, or never given",
}
#: A capital letter inside of a name such as AssessmentQuestionBank.
_INNER: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def shown_outcome(results: Results, row: Row, lookup: Lookup) -> StudentOutcome:
    """Show a row with the results that it was made from."""
    account, outcome = row.root_account_uuid, row.learning_outcome_id
    definition, scales = lookup.resolve(account, outcome), Scales(lookup)
    told = explain(results, row, definition)
    general = scales.of(account, outcome)
    whole = _of_row(row, general)
    # Where all results are of one course, they are the same in the course and in the whole.
    made: dict[int, ResultDetail] = {}

    def shown(one: ExplainedResult) -> ResultDetail:
        detail = made.get(id(one))
        if detail is None:
            detail = made[id(one)] = _result(one)
        return detail

    def scale_of(course: str | None) -> ShownScale | None:
        return scales.of(account, outcome, course) if course in definition.courses else general

    return StudentOutcome(
        root_account_uuid=account,
        learning_outcome_id=outcome,
        outcome_title=row.outcome_title,
        mastery_points=row.mastery_points,
        points_possible=row.points_possible,
        calculation_method=row.calculation_method,
        calculation_int=row.calculation_int,
        definition_state=row.definition_state,
        scale_source=row.scale_source,
        definition_version=row.definition_version,
        definition_time=_seconds(row.definition_time),
        last_event_time=_seconds(row.last_event_time),
        levels=() if whole is None else tuple(tuple(level) for level in whole.levels),
        courses=tuple(
            _score(one, scale_of(one.course_id), beside=whole, shown=shown) for one in told.courses
        ),
        overall=_score(told.whole, whole, rating=row.rating, beside=whole, shown=shown),
        former_works=len(results.former_works),
    )


def _of_row(row: Row, scale: ShownScale | None) -> ShownScale | None:
    """The scale, if it is the one that the row's score over all courses was rated on."""
    if scale is None or (scale.mastery_points, scale.points_possible) != (
        row.mastery_points,
        row.points_possible,
    ):
        return None
    return scale


def _score(
    one: ExplainedScore,
    scale: ShownScale | None,
    *,
    rating: str | None = None,
    beside: ShownScale | None = None,
    shown: Callable[[ExplainedResult], ResultDetail],
) -> CourseScoreDetail:
    """Show a score. `beside`: the scale that its outcome is shown with, not to be told once more."""
    own = scale if scale is not None and scale != beside and scale.holds(one.score, one.mastery) else None
    level = None if scale is None else scale.reached(one.score, one.mastery)
    return CourseScoreDetail(
        course_id=one.course_id,
        score=one.score,
        mastery=one.mastery,
        rating=rating if level is None else level.description,
        rating_color=None if level is None else level.color,
        mastery_points=None if own is None else own.mastery_points,
        points_possible=None if own is None else own.points_possible,
        levels=() if own is None else tuple(tuple(each) for each in own.levels),
        results_count=one.results_count,
        last_assessed_at=_seconds(one.last_assessed_at),
        formula=one.formula,
        results=tuple(shown(each) for each in one.results),
    )


def _result(one: ExplainedResult) -> ResultDetail:
    held, state = one.snapshot, _state(one.snapshot)
    return ResultDetail(
        id=held.id,
        work=_work(held.work),
        artifact_type=held.work.artifact_type,
        artifact_id=held.work.artifact_id,
        course_id=held.course_id,
        assessed_at=_seconds(held.assessed_at),
        score=held.score,
        possible=held.possible,
        percent=held.percent,
        value=one.value,
        weight=one.weight,
        state=state,
        why_not=_WHY.get(state),
        updated_at=_seconds(held.version.updated_at) if held.version.updated else None,
        event_time=held.version.event_time / 1000,
    )


def _state(snapshot: ResultSnapshot) -> ResultState:
    if snapshot.counts:
        return ResultState.COUNTED
    if snapshot.stillborn:
        return ResultState.SUPERSEDED
    return ResultState.CLEARED if snapshot.active else ResultState.DELETED


def _work(work: Work) -> str:
    """What was assessed, such as `Assignment 12`: what it was made for, else the student's own artifact."""
    kind, number = (
        (work.asset_type, work.asset_id) if work.asset_id else (work.artifact_type, work.artifact_id)
    )
    return f"{_name(kind)} {number}".strip()


@lru_cache(100)
def _name(kind: str) -> str:
    """A type of Canvas's in words."""
    return _INNER.sub(" ", kind.rpartition("::")[2]).capitalize() or "Work"


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000

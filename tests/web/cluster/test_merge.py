"""Parts of several workers, put together: the same as one worker with all students would say."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.cluster.merge import median_of, merge_course, merge_outcome, merge_outcome_summaries
from app.web.models.base import Freshness
from app.web.models.groups import (
    CourseAnswer,
    CourseSummary,
    GridCell,
    GridOutcome,
    GridStudent,
    LevelCount,
    OutcomeAnswer,
    OutcomeSummary,
    StepCount,
)

FRESH = Freshness(as_of=1.0, behind_seconds=0.0)
LEVELS = (4.0, 3.0, 2.0, None)


class Student(NamedTuple):
    """A student's score by outcome; None for no evidence."""

    name: str
    scores: dict[str, float | None]


students = st.lists(
    st.builds(
        Student,
        st.uuids().map(str),
        st.dictionaries(
            st.sampled_from("abc"), st.none() | st.integers(0, 20).map(lambda n: n / 4), min_size=1
        ),
    ),
    unique_by=lambda one: one.name,
    max_size=12,
)


def outcome_answer(those: Sequence[Student]) -> OutcomeAnswer:
    """What a worker with these students says of outcome a."""
    with_row = [one for one in those if "a" in one.scores]
    scores = [score for one in with_row if (score := one.scores["a"]) is not None]
    counts = Counter(next((x for x in LEVELS if x is not None and score >= x), None) for score in scores)
    return OutcomeAnswer(
        freshness=FRESH,
        outcome=OutcomeSummary(
            root_account_uuid="r",
            learning_outcome_id="a",
            title="A",
            definition_state="known",
            calculation_method="highest",
            calculation_int=None,
            mastery_points=3,
            points_possible=5,
            students=len(with_row),
            scored=len(scores),
            mastered=sum(score >= 3 for score in scores),
            mean=fmean(scores) if scores else None,
            steps=tuple(
                StepCount(steps=(4 - place,), students=counts[x], points=x) for place, x in enumerate(LEVELS)
            ),
        ),
        scale_source="outcome",
        definition_version="v",
        definition_time=1.0,
        levels=tuple(
            LevelCount(points=x, description=str(x), mastery=(x or 0) >= 3, students=counts[x])
            for x in LEVELS
        ),
        no_evidence=len(with_row) - len(scores),
        median=median(scores) if scores else None,
        score_counts=dict(Counter(str(score) for score in scores)),
        near_mastery=(),
        history=(),
    )


def course_answer(those: Sequence[Student]) -> CourseAnswer:
    """What a worker with these students says of their course."""
    outcomes = sorted({outcome for one in those for outcome in one.scores})
    pairs = [score for one in those for score in one.scores.values() if score is not None]

    def column(outcome: str) -> GridOutcome:
        scores = [score for one in those if (score := one.scores.get(outcome)) is not None]
        return GridOutcome(
            learning_outcome_id=outcome,
            title=outcome.upper(),
            mastery_points=3,
            points_possible=5,
            mean=fmean(scores) if scores else None,
            students=len(scores),
            mastered=sum(score >= 3 for score in scores),
        )

    def cell(one: Student, outcome: str) -> GridCell | None:
        if outcome not in one.scores:
            return None
        return GridCell(score=one.scores[outcome], mastery=None, rating=None)

    return CourseAnswer(
        freshness=FRESH,
        course=CourseSummary(
            root_account_uuid="r",
            course_id="1",
            students=len(those),
            outcomes=len(outcomes),
            mastered=sum(score >= 3 for score in pairs),
            scored=len(pairs),
        ),
        outcomes=tuple(column(outcome) for outcome in outcomes),
        students=tuple(
            GridStudent(user_uuid=one.name, cells=tuple(cell(one, outcome) for outcome in outcomes))
            for one in those
        ),
    )


@given(students, st.integers(0, 12), st.integers(0, 12))
def test_outcome(those: list[Student], first: int, second: int) -> None:
    first, second = sorted((first, second))
    parts = [outcome_answer(part) for part in (those[:first], those[first:second], those[second:])]
    merged, whole = merge_outcome(parts, FRESH), outcome_answer(those)
    assert merged.outcome.mean == pytest.approx(whole.outcome.mean)
    assert merged.model_copy(update={"outcome": None}) == whole.model_copy(update={"outcome": None})
    assert merged.outcome.model_copy(update={"mean": None}) == whole.outcome.model_copy(update={"mean": None})


def test_a_worker_that_does_not_know_the_scale_yet_takes_no_step_away() -> None:
    known = outcome_answer([Student("a", {"a": 4.0}), Student("b", {"a": 2.0})]).outcome
    unknown = known.model_copy(update={"steps": ()})
    for both in ([known, unknown], [unknown, known]):
        (merged,) = merge_outcome_summaries(both)
        assert merged.steps == known.steps
        assert merged.scored == 4


@given(students, st.integers(0, 12))
def test_course(those: list[Student], cut: int) -> None:
    parts = [course_answer(part) for part in (those[:cut], those[cut:])]
    merged = merge_course(parts, [(part, one) for part in parts for one in part.students], FRESH)
    whole = course_answer(those)
    assert merged.course == whole.course
    assert merged.students == whole.students
    for ours, theirs in zip(merged.outcomes, whole.outcomes, strict=True):
        assert ours.mean == pytest.approx(theirs.mean)
        assert ours.model_copy(update={"mean": None}) == theirs.model_copy(update={"mean": None})


@given(st.lists(st.integers(-8, 20).map(lambda n: n / 4)))
def test_median(scores: list[float]) -> None:
    found = median_of(Counter(map(str, scores)))
    assert found == (median(scores) if scores else None)

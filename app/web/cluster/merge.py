"""Puts the parts of several workers together. A student's rows are all in one part, so counts add up."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import fsum
from typing import Final, TypeVar

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
from app.web.models.stream import EventFlow, Overview, StatusAnswer

__all__ = [
    "median_of",
    "merge_course",
    "merge_course_summaries",
    "merge_outcome",
    "merge_outcome_summaries",
    "merge_overview",
    "merge_status",
]

T = TypeVar("T")

#: As one worker shows of each.
_NEAR: Final = 20
_COURSES: Final = 100
_LAST: Final = 20


def merge_overview(parts: Sequence[Overview], freshness: Freshness) -> Overview:
    """Add up what workers did; what every worker reads of Kafka is the first part's."""
    first = parts[0]
    dead_letters: Counter[str] = Counter()
    for part in parts:
        dead_letters.update(part.dead_letters)
    return first.model_copy(
        update={
            "freshness": freshness,
            # Each worker tells what it sees; what concerns all is told by each in the same words.
            "notices": tuple({one.text: one for part in parts for one in part.notices}.values()),
            "raw_lag": _sum(part.raw_lag for part in parts),
            "raw_per_second": fsum(part.raw_per_second for part in parts),
            "events": tuple(_flows(parts)),
            "dead_letters": dict(dead_letters),
            "rows": _sum(part.rows for part in parts),
            "students": _sum(part.students for part in parts),
            "unknown_outcomes": max(part.unknown_outcomes for part in parts),
            "last_events": tuple(
                sorted(
                    chain.from_iterable(part.last_events for part in parts),
                    key=lambda one: one.event_time or 0.0,
                    reverse=True,
                )[:_LAST]
            ),
            "changes": tuple(
                sorted(
                    chain.from_iterable(part.changes for part in parts),
                    key=lambda one: one.changed_at,
                    reverse=True,
                )[:_LAST]
            ),
            "examples": {name: path for part in reversed(parts) for name, path in part.examples.items()},
        }
    )


def _flows(parts: Sequence[Overview]) -> Iterator[EventFlow]:
    by_event: dict[str, list[EventFlow]] = {}
    for flow in chain.from_iterable(part.events for part in parts):
        by_event.setdefault(flow.event, []).append(flow)
    for flows in by_event.values():
        yield flows[0].model_copy(
            update={
                "records": sum(one.records for one in flows),
                "per_second": fsum(one.per_second for one in flows),
                "last_event_time": max(
                    (one.last_event_time for one in flows if one.last_event_time is not None), default=None
                ),
            }
        )


def merge_outcome(parts: Sequence[OutcomeAnswer], freshness: Freshness) -> OutcomeAnswer:
    """Add up counts; mean and median are of all scores together."""
    first = parts[0]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.score_counts)
    near = sorted(
        chain.from_iterable(part.near_mastery for part in parts),
        key=lambda one: (-(one.score or 0.0), one.user_uuid),
    )
    courses = {course: None for part in parts for course in part.courses}
    return first.model_copy(
        update={
            "freshness": freshness,
            "outcome": merge_outcome_summaries(part.outcome for part in parts)[0],
            "levels": tuple(_levels(parts)),
            "no_evidence": _sum(part.no_evidence for part in parts),
            "median": median_of(counts),
            "score_counts": dict(counts),
            "near_mastery": tuple(near[:_NEAR]),
            "courses": tuple(list(courses)[:_COURSES]),
        }
    )


def median_of(counts: Mapping[str, int]) -> float | None:
    """Return the median of scores, given how many students have each: the mean of the middle two if even."""
    scores = sorted((float(score), count) for score, count in counts.items() if count > 0)
    total = sum(count for _, count in scores)
    if not total:
        return None
    middle: list[float] = []
    seen = 0
    for score, count in scores:
        seen += count
        middle += [score] * ((seen > (total - 1) // 2) + (seen > total // 2) - len(middle))
    return (middle[0] + middle[1]) / 2


def _levels(parts: Sequence[OutcomeAnswer]) -> Iterator[LevelCount]:
    """Levels of the first part; all workers follow the same definitions, one of them a moment behind."""
    more: Counter[tuple[float | None, str | None]] = Counter()
    for level in chain.from_iterable(part.levels for part in parts):
        more[level.points, level.description] += level.students
    for level in parts[0].levels:
        yield level.model_copy(update={"students": more[level.points, level.description]})


def merge_outcome_summaries(summaries: Iterable[OutcomeSummary]) -> list[OutcomeSummary]:
    """Add up what workers tell of the same outcome, in the order of first mention."""
    merged = []
    for same in _grouped(summaries, lambda one: (one.root_account_uuid, one.learning_outcome_id)).values():
        # Whoever has rows knows the title, also of an outcome that no event has told of.
        best = max(same, key=lambda one: (one.title is not None, one.students or 0))
        merged.append(
            best.model_copy(
                update={
                    "students": _sum(one.students for one in same),
                    "scored": _sum(one.scored for one in same),
                    "mastered": _sum(one.mastered for one in same),
                    "mean": _mean((one.mean, one.scored) for one in same),
                    "steps": _steps(same),
                }
            )
        )
    return merged


def _steps(summaries: Iterable[OutcomeSummary]) -> tuple[StepCount, ...]:
    """Whoever knows the scale tells all steps, and who does not has nobody on them."""
    same = _grouped(chain.from_iterable(one.steps for one in summaries), lambda step: step.steps).values()
    merged = (one[0].model_copy(update={"students": sum(step.students for step in one)}) for one in same)
    return tuple(sorted(merged, key=lambda step: step.steps, reverse=True))


def merge_course_summaries(summaries: Iterable[CourseSummary]) -> list[CourseSummary]:
    """Add up what workers tell of the same course; of outcomes, at least the most that one of them has."""
    return [
        same[0].model_copy(
            update={
                "students": _sum(one.students for one in same),
                "outcomes": max(one.outcomes for one in same),
                "mastered": _sum(one.mastered for one in same),
                "scored": _sum(one.scored for one in same),
            }
        )
        for same in _grouped(summaries, lambda one: (one.root_account_uuid, one.course_id)).values()
    ]


def merge_course(
    parts: Sequence[CourseAnswer], students: Iterable[tuple[CourseAnswer, GridStudent]], freshness: Freshness
) -> CourseAnswer:
    """Put the grids side by side: the outcomes of all, and these students with the part each is from."""
    outcomes = _grid_outcomes(parts)
    places = {one.learning_outcome_id: place for place, one in enumerate(outcomes)}
    summary = merge_course_summaries(part.course for part in parts)[0]
    return CourseAnswer(
        freshness=freshness,
        course=summary.model_copy(update={"outcomes": max(len(outcomes), summary.outcomes)}),
        outcomes=tuple(outcomes),
        students=tuple(_replaced(part, student, places) for part, student in students),
    )


def _grid_outcomes(parts: Sequence[CourseAnswer]) -> list[GridOutcome]:
    columns = _grouped(
        chain.from_iterable(part.outcomes for part in parts), lambda one: one.learning_outcome_id
    )
    merged = [
        same[0].model_copy(
            update={
                "students": _sum(one.students for one in same),
                "mastered": _sum(one.mastered for one in same),
                "mean": _mean((one.mean, one.students) for one in same),
            }
        )
        for same in columns.values()
    ]
    return sorted(merged, key=lambda one: ((one.title or "").casefold(), one.learning_outcome_id))


def _replaced(part: CourseAnswer, student: GridStudent, places: Mapping[str, int]) -> GridStudent:
    """The student's cells, moved to the places of all outcomes."""
    cells: list[GridCell | None] = [None] * len(places)
    for outcome, cell in zip(part.outcomes, student.cells, strict=True):
        cells[places[outcome.learning_outcome_id]] = cell
    return student.model_copy(update={"cells": tuple(cells)})


def merge_status(parts: Sequence[StatusAnswer], freshness: Freshness) -> StatusAnswer:
    """All workers; settings and versions are those of the first."""
    return parts[0].model_copy(
        update={
            "freshness": freshness,
            "workers": tuple(
                sorted(chain.from_iterable(part.workers for part in parts), key=lambda one: one.name)
            ),
        }
    )


def _grouped(items: Iterable[T], key: Callable[[T], object]) -> dict[object, list[T]]:
    groups: dict[object, list[T]] = {}
    for one in items:
        groups.setdefault(key(one), []).append(one)
    return groups


def _mean(means: Iterable[tuple[float | None, int | None]]) -> float | None:
    """The mean of all, of means and how many each is of."""
    known = [(mean, count) for mean, count in means if mean is not None and count]
    return fsum(mean * count for mean, count in known) / sum(count for _, count in known) if known else None


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [one for one in numbers if one is not None]
    return sum(known) if known else None

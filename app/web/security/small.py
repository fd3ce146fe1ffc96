"""Small groups, for who may see no individual: nothing shown lets a group of fewer than FEWEST be counted.

The rule, for one answer and for all of them together:

1. A count is shown if it and what is left of the whole it is shown with are at least FEWEST each. "Nobody" is
   as small as one: that nobody reached mastery tells it of each of them.
2. Steps are shown as unions of neighbours, each of at least FEWEST students, none across mastery. What is
   shown has nothing hidden beside it, so no difference is a hidden group: each is a union of unions. Levels
   likewise, and none across what is shown of steps: or a level could be counted as their difference.
3. Mean and median are of at least FEWEST students and rounded to one decimal, so that one more student does
   not show in them; scores are not counted one by one.
4. Two wholes of which one holds the other are never shown to the same login: over all courses or listed
   courses, not both; students of an outcome, but neither of the school, nor of a course.

Source: statistical offices' threshold rule with secondary suppression (Hundepool et al., "Handbook on
Statistical Disclosure Control", 4.2-4.4).
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from app.web.models.groups import (
    CourseSummary,
    GridOutcome,
    LevelCount,
    OutcomeAnswer,
    OutcomeSummary,
    StepCount,
)
from app.web.security.viewer import FEWEST

__all__ = [
    "hide_small_of_column",
    "hide_small_of_course",
    "hide_small_of_outcome",
    "hide_small_of_summary",
    "merge_small",
]

C = TypeVar("C", LevelCount, StepCount)

_DECIMALS: Final = 1
#: The lowest step that is mastery.
_MASTERY: Final = 3


def hide_small_of_summary(summary: OutcomeSummary) -> OutcomeSummary:
    """Return an outcome's counts without small groups: of students, scored of these, mastered of those."""
    students, scored = summary.students or 0, summary.scored or 0
    shows_scored = scored >= FEWEST
    # Who has no score is a group, too. It may be empty: then there is nothing to tell of it.
    unscored = students - scored
    shows_students = students >= FEWEST and (not shows_scored or unscored == 0 or unscored >= FEWEST)
    return summary.model_copy(
        update={
            "students": students if shows_students else None,
            "scored": scored if shows_scored else None,
            "mastered": _mastered(summary.mastered, scored),
            "mean": _rounded(summary.mean) if shows_scored else None,
            "steps": _steps(summary) if shows_scored else (),
        }
    )


def _steps(summary: OutcomeSummary) -> tuple[StepCount, ...]:
    """Steps, joined until each has FEWEST; nothing where they count others than the summary does."""
    sides = [[one for one in summary.steps if (one.steps[-1] >= _MASTERY) is side] for side in (True, False)]
    above, below = (sum(one.students for one in side) for side in sides)
    if (above, above + below) != (summary.mastered, summary.scored) or min(above, below) < FEWEST:
        return ()
    return tuple(
        StepCount(
            steps=tuple(step for one in group for step in one.steps),
            students=sum(one.students for one in group),
            points=group[-1].points,
        )
        for side in sides
        for group in _groups(side)
    )


def hide_small_of_outcome(answer: OutcomeAnswer) -> OutcomeAnswer:
    """Return an outcome's answer without small groups, and without anybody's row or score."""
    summary = hide_small_of_summary(answer.outcome)
    scored, mastered = answer.outcome.scored or 0, answer.outcome.mastered
    reached = sum(level.students for level in answer.levels if level.mastery)
    told = sum(level.students for level in answer.levels)
    # Levels that count others than the summary does would show the difference.
    fit = summary.scored is not None and told == scored and reached == mastered
    no_evidence = answer.no_evidence
    whole = summary.students is not None and summary.scored is not None
    shows_rest = whole and no_evidence == summary.students - summary.scored  # type: ignore[operator]
    return answer.model_copy(
        update={
            "outcome": summary,
            "levels": merge_small(answer.levels, summary.steps) if fit else (),
            "no_evidence": no_evidence if shows_rest else None,
            "median": None if summary.scored is None else _rounded(answer.median),
            "score_counts": {},
            "near_mastery": (),
            "courses": (),
        }
    )


def merge_small(levels: Sequence[LevelCount], steps: Sequence[StepCount] = ()) -> tuple[LevelCount, ...]:
    """Join neighbours until each has FEWEST students; nothing where one side of mastery has fewer.

    `levels` are in their order, highest first, and `steps` what is shown of the same students: none is joined
    across them, and nothing is shown where they count others. A joined level has the lowest one's points and
    the names of all that are in it.
    """
    parts = [[level for level in levels if level.mastery is side] for side in (True, False)]
    if any(sum(level.students for level in part) < FEWEST for part in parts):
        return ()
    if steps:
        parts = [[level for level in levels if level.step in one.steps] for one in steps]
        told = [sum(level.students for level in part) for part in parts]
        if told != [one.students for one in steps]:
            return ()
    return tuple(_joined(group) for part in parts for group in _groups(part))


def _groups(levels: Sequence[C]) -> list[list[C]]:
    groups: list[list[C]] = [[]]
    for level in levels:
        if sum(one.students for one in groups[-1]) >= FEWEST:
            groups.append([])
        groups[-1].append(level)
    if len(groups) > 1 and sum(one.students for one in groups[-1]) < FEWEST:
        rest = groups.pop()
        groups[-1] += rest
    return groups


def _joined(group: Sequence[LevelCount]) -> LevelCount:
    if len(group) == 1:
        return group[0]
    names = [level.description or "below the lowest level" for level in group]
    return LevelCount(
        points=group[-1].points,
        description=" or ".join(names),
        color=None,
        mastery=group[0].mastery,
        students=sum(level.students for level in group),
        # That of the level next to mastery: those of the others are further from it.
        step=group[-1 if group[0].mastery else 0].step,
    )


def hide_small_of_course(course: CourseSummary) -> CourseSummary:
    """Return a course without counts: with those of its outcomes they would tell who has none."""
    return course.model_copy(update={"students": None, "mastered": None, "scored": None})


def hide_small_of_column(column: GridOutcome) -> GridOutcome:
    """Return the counts of one outcome in a course without small groups."""
    scored = column.students or 0
    shown = scored >= FEWEST
    return column.model_copy(
        update={
            "students": scored if shown else None,
            "mastered": _mastered(column.mastered, scored),
            "mean": _rounded(column.mean) if shown else None,
        }
    )


def _mastered(mastered: int | None, of: int) -> int | None:
    return mastered if mastered is not None and min(mastered, of - mastered) >= FEWEST else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)

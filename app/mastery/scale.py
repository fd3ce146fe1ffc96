"""Scales: how many points there are, from which on an outcome is mastered, and the levels between."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

__all__ = ["CANVAS_DEFAULT_SCALE", "Level", "ProficiencyLevel", "Scale", "outcome_scale", "proficiency_scale"]


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A level of a scale, such as "Meets expectations" from 3 points on."""

    points: float
    description: str | None


class ProficiencyLevel(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A level of a proficiency. `mastery` is true on the one from which on an outcome is mastered.

    `color` (six hexadecimal digits) is for those who show it: no score, and no version, depends on it.
    """

    points: float
    description: str | None
    mastery: bool
    color: str | None = None


class Scale(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A scale that can be computed with. `points_possible` is above 0; levels have the highest first."""

    mastery_points: float
    points_possible: float
    levels: tuple[Level, ...]

    def level(self, score: float) -> Level | None:
        """The level that a (rounded) score reaches; None below the lowest one, or without levels."""
        for level in self.levels:
            if level.points <= score:
                return level
        return None


CANVAS_DEFAULT_SCALE: Final = Scale(mastery_points=3.0, points_possible=5.0, levels=())
"""What Canvas gives to a new outcome, without the levels: their names differ by language."""


def outcome_scale(
    mastery_points: float | None, points_possible: float | None, levels: Iterable[Level]
) -> tuple[Scale, bool]:
    """The scale of an outcome's criterion, and whether the criterion is as it ought to be.

    Where it is not: points possible that are missing or not above 0 are those of mastery (as Canvas has it);
    mastery points that are missing or below 0 are those possible; with neither, it is 3 of 5. Mastery from 0
    points on is kept, as in Canvas, but is no better: everybody has mastered such an outcome.
    """
    possible = points_possible if points_possible is not None and points_possible > 0 else None
    mastery = mastery_points if mastery_points is not None and mastery_points >= 0 else None
    valid = possible is not None and mastery is not None and mastery > 0
    if possible is None and mastery:
        possible = mastery
    if possible is None:
        possible, mastery = CANVAS_DEFAULT_SCALE.points_possible, CANVAS_DEFAULT_SCALE.mastery_points
    if mastery is None:
        mastery = possible
    return Scale(mastery, possible, _highest_first(levels)), valid


def proficiency_scale(levels: Sequence[ProficiencyLevel]) -> tuple[Scale | None, bool]:
    """The scale that the levels of a proficiency make, and whether they are as they ought to be.

    Points possible are those of the highest level, mastery points those of the level of mastery. Canvas makes
    sure of one such level, and of points that differ; where they do not, the highest level of mastery counts,
    else the highest level. None without any level above 0 points.
    """
    highest_first = sorted(levels, key=lambda level: -level.points)
    if not highest_first or not highest_first[0].points > 0:
        return None, False
    mastery = [level.points for level in highest_first if level.mastery]
    points = [level.points for level in highest_first]
    possible = points[0]
    scale = Scale(
        mastery[0] if mastery else possible,
        possible,
        tuple(Level(level.points, level.description) for level in highest_first),
    )
    return scale, len(mastery) == 1 and mastery[0] > 0 and len(set(points)) == len(points)


def _highest_first(levels: Iterable[Level]) -> tuple[Level, ...]:
    return tuple(sorted(levels, key=lambda level: -level.points))

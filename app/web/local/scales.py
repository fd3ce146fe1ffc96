"""Scales as they are shown: levels with names and colours, and which of them a score reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.definitions.lookup import Lookup
from app.mastery.resolve import Basis, ScaleSource

__all__ = ["STEPS", "Scales", "ShownLevel", "ShownScale"]

#: Steps of the colours, the highest first.
STEPS: Final = (4, 3, 2, 1, 0)
_MASTERY: Final = 3


class ShownLevel(NamedTuple):
    """A level of a scale. `color` is RRGGBB, where a proficiency gives one."""

    points: float
    description: str | None
    color: str | None


@dataclass(frozen=True, slots=True)
class ShownScale:
    """A scale; levels have the highest first."""

    mastery_points: float
    points_possible: float
    levels: Sequence[ShownLevel] = ()

    def level(self, score: float | None) -> ShownLevel | None:
        """The level that a score reaches; None below the lowest one, without levels, or without a score."""
        if score is None:
            return None
        return next((level for level in self.levels if level.points <= score), None)

    def reached(self, score: float | None, mastery: bool | None) -> ShownLevel | None:  # noqa: FBT001 - of a row
        """The same, where the scale is the one that `mastery` was found with."""
        return self.level(score) if score is not None and self.holds(score, mastery) else None

    def holds(self, score: float | None, mastery: bool | None) -> bool:  # noqa: FBT001 - of a row
        """Whether `mastery` can have been found with it: definitions may be newer than a row."""
        return score is None or (score >= self.mastery_points) is mastery

    def step(self, score: float | None, mastery: bool | None) -> int | None:  # noqa: FBT001 - of a row
        """Step of the colours: 4 above mastery, 3 mastery, 2 near, 1 below, 0 well below; None without score.

        The steps are the scale's levels, counted from that of mastery.
        """
        return None if score is None or mastery is None else self.step_of(self.level(score), mastery=mastery)

    def points_of(self, step: int) -> float | None:
        """The lowest score that stands on a step; None where no level says."""
        levels = [
            level
            for level in self.levels
            if self.step_of(level, mastery=level.points >= self.mastery_points) == step
        ]
        # Mastery may begin between two levels.
        return self.mastery_points if step == _MASTERY else levels[-1].points if levels else None

    def step_of(self, level: ShownLevel | None, *, mastery: bool) -> int:
        """Step of a level; None is below the lowest one. `mastery`: whether who reaches it has mastered."""
        if mastery:
            # Levels above mastery are one step, as in Canvas.
            return 4 if level is not None and level.points > self.mastery_points else 3
        below = [one.points for one in self.levels if one.points < self.mastery_points]
        if not below:
            return 1
        reached = (place for place, points in enumerate(below) if level and points <= level.points)
        return max(0, 2 - next(reached, len(below)))


class Scales:
    """The scales of outcomes that are known, as definitions tell them now.

    To be asked of outcomes that have rows or a definition alone: what was asked for is kept.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def of(self, account: str, outcome: str, course: str | None = None) -> ShownScale | None:
        """The scale of an outcome in a course, or in general; None while the outcome is unknown."""
        basis = self._lookup.resolve(account, outcome).of_course(course)
        return None if basis is None else self.shown(account, basis, course)

    def shown(self, account: str, basis: Basis, course: str | None = None) -> ShownScale:
        """A basis's scale with the colours of its levels."""
        colors = self._colors(account, course) if basis.source is ScaleSource.PROFICIENCY else {}
        scale = basis.scale
        levels = tuple(
            ShownLevel(one.points, one.description, colors.get((one.points, one.description)))
            for one in scale.levels
        )
        return ShownScale(scale.mastery_points, scale.points_possible, levels)

    def _colors(self, account: str, course: str | None) -> dict[tuple[float, str | None], str | None]:
        """Colours of the proficiency in force, as app.mastery.resolve chooses it."""
        scales = self._lookup.scales(account)
        places = [None if course is None else scales.courses.get(course), scales.account]
        for place in places:
            if place is not None and place.proficiency is not None:
                levels = place.proficiency.levels
                return {(one.points, one.description): one.color for one in levels}
        return {}

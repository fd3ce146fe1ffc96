"""From what events say of an outcome and of scales, and the rules, to what a score is computed with."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from app.mastery.definition import AccountScales, OutcomeDefinition, ScaleInForce
from app.mastery.methods import DEFAULT_N, VALID_N, Method
from app.mastery.rules import AccountRules, UnknownDefinition
from app.mastery.scale import CANVAS_DEFAULT_SCALE, Scale, outcome_scale, proficiency_scale

__all__ = ["Basis", "Definition", "DefinitionState", "ScaleSource", "combined_version", "resolve", "worst"]


class DefinitionState(StrEnum):
    """How sure a definition is. Where several apply, the last of them here is told."""

    KNOWN = "known"
    ASSUMED = "assumed"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class ScaleSource(StrEnum):
    """Whose scale it is."""

    OUTCOME = "outcome"
    PROFICIENCY = "proficiency"


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What a score is computed with, apart from the results."""

    method: Method
    n: int | None
    scale: Scale
    source: ScaleSource
    state: DefinitionState
    version: str
    """A hash of method, n, points and levels: equal ones compute equal scores."""
    time: int | None
    """When the newest part of it became so: `updated_at`, else the event's time. That a scale was deleted is
    a part. None if all is assumed."""


class Definition(msgspec.Struct, frozen=True, gc=False):
    """What the scores of one outcome are computed with, in one root account."""

    title: str | None
    basis: Basis | None
    """None if the outcome is unknown, and is to stay so."""
    courses: Mapping[str, Basis] = {}
    """For courses with a scale of their own, by their id."""

    def of_course(self, course_id: str | None) -> Basis | None:
        """What holds in a course."""
        if course_id is None or not self.courses:
            return self.basis
        return self.courses.get(course_id, self.basis)


_UNKNOWN: Final = Definition(None, None)
_SEVERITY: Final = {state: place for place, state in enumerate(DefinitionState)}


class _Calculation(NamedTuple):
    """What a score is computed with, apart from the scale."""

    method: Method
    n: int | None
    state: DefinitionState
    time: int | None


def resolve(
    outcome: OutcomeDefinition | None, rules: AccountRules, scales: AccountScales | None = None
) -> Definition:
    """What to compute an outcome's scores with; `outcome` is None if none was ever seen.

    What is not valid falls back and is marked so (see `outcome_scale`, `proficiency_scale`): an unknown
    method is highest; a number that Canvas would not accept is the method's default, without a mark where
    there simply is none. With account-level scales, a course's proficiency comes before the root account's;
    with neither, the outcome's own scale is taken and marked as assumed.
    """
    if outcome is None:
        if rules.unknown_definition is UnknownDefinition.NO_SCORE:
            return _UNKNOWN
        title = None
        calculation = _Calculation(Method.HIGHEST, None, DefinitionState.ASSUMED, None)
        own = _basis(calculation, CANVAS_DEFAULT_SCALE, DefinitionState.ASSUMED, ScaleSource.OUTCOME)
    else:
        title = outcome.title
        calculation = _calculation(outcome, rules)
        scale, valid = outcome_scale(outcome.mastery_points, outcome.points_possible, outcome.levels)
        own = _basis(calculation, scale, _known_if(valid), ScaleSource.OUTCOME)
    if not rules.account_level_scales:
        return Definition(title, own)
    found = scales or AccountScales()
    return Definition(
        title,
        _scaled(calculation, own, [found.account]),
        {course: _scaled(calculation, own, [one, found.account]) for course, one in found.courses.items()},
    )


def combined_version(versions: Sequence[tuple[str, str]]) -> str:
    """One version for a row in which several hold, of (course id, version) in a given order."""
    return _hash(versions)


def worst(states: Iterable[DefinitionState]) -> DefinitionState:
    """The state to tell of several."""
    return max(states, key=_SEVERITY.__getitem__)


def _calculation(outcome: OutcomeDefinition, rules: AccountRules) -> _Calculation:
    time = outcome.version.time
    try:
        method = Method(outcome.method or Method.HIGHEST)
    except ValueError:
        return _Calculation(Method.HIGHEST, None, DefinitionState.INVALID, time)
    if method is Method.STANDARD_DECAYING_AVERAGE and not rules.new_decaying_average:
        method = Method.DECAYING_AVERAGE
    default = DEFAULT_N.get(method)
    if default is None or outcome.n is None:
        return _Calculation(method, default, DefinitionState.KNOWN, time)
    valid = outcome.n in VALID_N[method]
    return _Calculation(method, outcome.n if valid else default, _known_if(valid), time)


def _scaled(calculation: _Calculation, own: Basis, places: Sequence[ScaleInForce | None]) -> Basis:
    """The basis on the scale of the first of `places` that has one, else on the outcome's own, and marked."""
    known = [place for place in places if place is not None]
    times = [calculation.time, *(place.time for place in known)]
    time = max([time for time in times if time is not None], default=None)
    proficiency = next((place.proficiency for place in known if place.proficiency is not None), None)
    if proficiency is None:
        return msgspec.structs.replace(own, state=worst([own.state, DefinitionState.ASSUMED]), time=time)
    scale, valid = proficiency_scale(proficiency.levels)
    if scale is None:
        return msgspec.structs.replace(own, state=worst([own.state, DefinitionState.INVALID]), time=time)
    return _basis(calculation._replace(time=time), scale, _known_if(valid), ScaleSource.PROFICIENCY)


def _known_if(valid: bool) -> DefinitionState:  # noqa: FBT001 - the name says what it is
    return DefinitionState.KNOWN if valid else DefinitionState.INVALID


def _basis(calculation: _Calculation, scale: Scale, state: DefinitionState, source: ScaleSource) -> Basis:
    return Basis(
        method=calculation.method,
        n=calculation.n,
        scale=scale,
        source=source,
        state=worst([calculation.state, state]),
        version=_hash([calculation.method, calculation.n, scale]),
        time=calculation.time,
    )


def _hash(value: object) -> str:
    return blake2b(msgspec.json.encode(value), digest_size=8).hexdigest()

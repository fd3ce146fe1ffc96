"""From the results of a student on an outcome to the row that is published."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from app.mastery.ids import id_order
from app.mastery.methods import score
from app.mastery.resolve import Basis, Definition, DefinitionState, combined_version, worst
from app.mastery.results import Results
from app.mastery.row import CourseScore, Row
from app.mastery.snapshot import ResultSnapshot, RowKey

__all__ = ["CALCULATION", "roll_up"]

#: Number of the calculation as a whole. Raise it when the same results and definitions come to another row:
#: rows that are there are then computed again.
CALCULATION: Final = 1


def roll_up(key: RowKey, results: Results, definition: Definition) -> Row:
    """The row of `key`: Canvas's roll-up in each course, and the same over the results of all courses.

    Where courses have scales of their own, the whole is rated on the scale of the courses whose results count
    if that is one and the same, else on the scale that holds in general.
    """
    snapshots = results.snapshots
    counting = _counting(snapshots)
    by_course = _by_course(snapshots)
    used = _used(by_course, definition) if definition.courses else {}
    basis = _basis_of_whole(used, definition)
    total = _score(counting, basis)
    last_assessed_at = _last_assessed_at(counting)
    courses = []
    for course_id in _in_order(by_course):
        here, there = by_course[course_id], definition.of_course(course_id)
        counting_here = counting if len(here) == len(snapshots) else _counting(here)
        # Where all results are of one course, the whole is rated on its scale: the same numbers.
        is_whole = len(counting_here) == len(counting)
        course_score = total if is_whole else _score(counting_here, there)
        courses.append(
            CourseScore(
                course_id,
                _uuid(here),
                course_score,
                _mastery(course_score, there),
                len(counting_here),
                last_assessed_at if is_whole else _last_assessed_at(counting_here),
            )
        )
    level = basis.scale.level(total) if basis is not None and total is not None else None
    provenance = _provenance(basis, used)
    return Row(
        root_account_uuid=key.root_account_uuid,
        user_uuid=key.user_uuid,
        learning_outcome_id=key.learning_outcome_id,
        score=total,
        mastery=_mastery(total, basis),
        rating=None if level is None else level.description,
        mastery_points=None if basis is None else basis.scale.mastery_points,
        points_possible=None if basis is None else basis.scale.points_possible,
        calculation_method=None if basis is None else basis.method.value,
        calculation_int=None if basis is None else basis.n,
        results_count=len(counting),
        last_assessed_at=last_assessed_at,
        definition_state=provenance.state.value,
        scale_source=None if basis is None else basis.source.value,
        definition_version=provenance.version,
        definition_time=provenance.time,
        outcome_title=definition.title,
        rating_points=None if level is None else level.points,
        last_event_time=max([snapshot.version.event_time for snapshot in snapshots], default=None),
        courses=tuple(courses),
    )


class _Provenance(NamedTuple):
    """Which definition a row was computed with."""

    state: DefinitionState
    version: str | None
    time: int | None


def _counting(snapshots: Sequence[ResultSnapshot]) -> Sequence[ResultSnapshot]:
    # What `counts` says, without a call for each.
    return [snapshot for snapshot in snapshots if snapshot.active and snapshot.score is not None]


def _by_course(snapshots: Sequence[ResultSnapshot]) -> Mapping[str, Sequence[ResultSnapshot]]:
    """All results by their course, deleted ones too. Events of the middle generation do not name it."""
    first = snapshots[0].course_id if snapshots else None
    for snapshot in snapshots:
        if snapshot.course_id != first:
            break
    else:
        # As a rule all results are of one course.
        return {} if first is None else {first: snapshots}
    by_course: dict[str, list[ResultSnapshot]] = {}
    for snapshot in snapshots:
        if snapshot.course_id is not None:
            by_course.setdefault(snapshot.course_id, []).append(snapshot)
    return by_course


def _in_order(courses: Iterable[str]) -> list[str]:
    in_order = list(courses)
    if len(in_order) > 1:
        in_order.sort(key=id_order)
    return in_order


def _uuid(here: Sequence[ResultSnapshot]) -> str | None:
    """The lasting identifier of the course, from the first result that has it."""
    for snapshot in here:
        if snapshot.course_uuid is not None:
            return snapshot.course_uuid
    return None


def _used(by_course: Mapping[str, Sequence[ResultSnapshot]], definition: Definition) -> dict[str, Basis]:
    """What the scores of courses are computed with, of courses that have one."""
    return {
        course_id: held
        for course_id in _in_order(by_course)
        if any(snapshot.counts for snapshot in by_course[course_id])
        and (held := definition.of_course(course_id)) is not None
    }


def _basis_of_whole(used: Mapping[str, Basis], definition: Definition) -> Basis | None:
    if used and len({held.version for held in used.values()}) == 1:
        return next(iter(used.values()))
    return definition.basis


def _provenance(basis: Basis | None, used: Mapping[str, Basis]) -> _Provenance:
    if basis is None:
        return _Provenance(DefinitionState.UNKNOWN, None, None)
    if not used:
        return _Provenance(basis.state, basis.version, basis.time)
    differing = [
        (course_id, held.version) for course_id, held in used.items() if held.version != basis.version
    ]
    all_used = [basis, *used.values()]
    return _Provenance(
        worst(held.state for held in all_used),
        combined_version([("", basis.version), *differing]) if differing else basis.version,
        max([held.time for held in all_used if held.time is not None], default=None),
    )


def _score(counting: Sequence[ResultSnapshot], basis: Basis | None) -> float | None:
    if basis is None or not counting:
        return None
    scale = basis.scale
    return score(
        counting, basis.method, basis.n, points=scale.points_possible, mastery_points=scale.mastery_points
    )


def _mastery(rounded: float | None, basis: Basis | None) -> bool | None:
    return None if rounded is None or basis is None else rounded >= basis.scale.mastery_points


def _last_assessed_at(counting: Sequence[ResultSnapshot]) -> int | None:
    return max([held.assessed_at for held in counting if held.assessed_at is not None], default=None)

"""Why a row's numbers are what they are, for a person: what each result is worth, and the formula in words.

Everything comes from the row and its results. Of scales that courses have of their own, a row keeps only what
they made of the results: then there is a score without its formula, unless the outcome's definition is given.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from types import MappingProxyType
from typing import Final, NamedTuple

from app.mastery.methods import Method, in_order_of_time, score_of, weights, worth
from app.mastery.resolve import Definition
from app.mastery.results import Results
from app.mastery.row import Row
from app.mastery.snapshot import ResultSnapshot

__all__ = ["ExplainedResult", "ExplainedScore", "Explanation", "explain", "number_text"]

#: As many values are written out; of more, their sum.
_MOST: Final = 6


class ExplainedResult(NamedTuple):
    """One result: what it is worth, None where nothing tells; and why it does not count, if so.

    `weight` is the share of its value in the score, 0 to 1: the values times their weights add up to the
    score before it is rounded. None where nothing tells, or there is no score; None for what does not count.
    """

    snapshot: ResultSnapshot
    value: float | None
    weight: float | None
    why_not: str | None


class ExplainedScore(NamedTuple):
    """A course's score (`course_id` None: that over all courses), and how it came about in words."""

    course_id: str | None
    course_uuid: str | None
    score: float | None
    mastery: bool | None
    results_count: int
    last_assessed_at: int | None
    formula: str
    results: Sequence[ExplainedResult]
    """Those of the course, in order of their time."""

    def is_like(self, other: "ExplainedScore") -> bool:
        """Whether both say the same, whatever course they are of."""
        return self[2:7] == other[2:7]


class Explanation(NamedTuple):
    """Courses first, as Canvas shows them; the score over all courses; the results in order of their time.

    The results tell their value and weight in the score of their course; those of no course, over all.
    """

    courses: Sequence[ExplainedScore]
    whole: ExplainedScore
    results: Sequence[ExplainedResult]


def explain(results: Results, row: Row, definition: Definition | None = None) -> Explanation:
    """Explain a row by the results that it was made from.

    `definition` is what is known of the outcome now. It tells of the scales of courses; where it makes
    another score than the row has, it is not the one that the row was made with, and is not used.
    """
    snapshots = results.snapshots
    whole_bases = _bases(row, definition, None)
    whole_told: _Told | None = None
    courses = []
    for course in row.courses:
        here = [one for one in snapshots if one.course_id == course.course_id]
        own_scale = definition is not None and course.course_id in definition.courses
        bases = _bases(row, definition, course.course_id) if own_scale else whole_bases
        told = _told(here, course.score, bases)
        if len(here) == len(snapshots) and (course.score, bases) == (row.score, whole_bases):
            # As a rule all results are of one course: the whole came about in the same way.
            whole_told = told
        courses.append(
            ExplainedScore(
                course.course_id,
                course.course_uuid,
                course.score,
                course.mastery,
                course.results_count,
                course.last_assessed_at,
                told.formula,
                told.results,
            )
        )
    told = whole_told or _told(snapshots, row.score, whole_bases)
    whole = ExplainedScore(
        None,
        None,
        row.score,
        row.mastery,
        row.results_count,
        row.last_assessed_at,
        told.formula,
        told.results,
    )
    of_courses = {id(one.snapshot): one for course in courses for one in course.results}
    return Explanation(courses, whole, [of_courses.get(id(one.snapshot), one) for one in whole.results])


def number_text(number: float) -> str:
    """A number as a person writes it, to four places."""
    return f"{round(number, 4):.10g}"


class _Basis(NamedTuple):
    """What a score may have been computed with."""

    method: Method
    n: int | None
    points: float
    mastery_points: float


class _Told(NamedTuple):
    formula: str
    results: list[ExplainedResult]


def _bases(row: Row, definition: Definition | None, course_id: str | None) -> list[_Basis]:
    """What the score of a course may have been computed with, the likeliest first."""
    bases = []
    if (
        row.calculation_method is not None
        and row.points_possible is not None
        and row.mastery_points is not None
    ):
        bases.append(
            _Basis(
                Method(row.calculation_method), row.calculation_int, row.points_possible, row.mastery_points
            )
        )
    basis = None if definition is None else definition.of_course(course_id)
    if basis is not None:
        scale = basis.scale
        bases.append(_Basis(basis.method, basis.n, scale.points_possible, scale.mastery_points))
    return bases


def _told(snapshots: Sequence[ResultSnapshot], known: float | None, bases: Sequence[_Basis]) -> _Told:
    counting = [one for one in snapshots if one.counts]
    if not counting:
        return _Told("no result counts", _explained(snapshots))
    if not bases:
        return _Told("no score, as no event has told of the outcome", _explained(snapshots))
    for basis in bases:
        worths = worth(counting, basis.method, basis.points)
        valued = [
            None if value is None else (value, id(one)) for one, value in zip(counting, worths, strict=True)
        ]
        in_time = in_order_of_time(counting, valued)
        numbers = [value for value, _ in in_time]
        if score_of(numbers, basis.method, basis.n, basis.mastery_points) == known:
            break
    else:
        words = "computed on a mastery scale of its own, which the row does not keep"
        return _Told(words, _explained(snapshots))
    values = {id(one): value for one, value in zip(counting, worths, strict=True)}
    if not numbers:
        words = "no score: no result that counts can be given a value"
        return _Told(words, _explained(snapshots, values))
    words = _WORDS[basis.method](numbers, basis.n or 0, basis.mastery_points)
    if known is None:
        return _Told(words, _explained(snapshots, values))
    shares: dict[int, float] = dict.fromkeys(values, 0.0)
    weighed = weights(numbers, basis.method, basis.n, basis.mastery_points) or ()
    shares |= {which: weight for (_, which), weight in zip(in_time, weighed, strict=True)}
    return _Told(f"{words} = {number_text(known)}", _explained(snapshots, values, shares))


def _explained(
    snapshots: Sequence[ResultSnapshot],
    values: Mapping[int, float | None] = MappingProxyType({}),
    shares: Mapping[int, float] = MappingProxyType({}),
) -> list[ExplainedResult]:
    """The results in order of time, with values and weights by `id` of the snapshot."""
    explained = [
        ExplainedResult(one, values.get(id(one)), shares.get(id(one)), _why_not(one)) for one in snapshots
    ]
    explained.sort(key=lambda one: (one.snapshot.assessed_at or 0) // 1000)
    return explained


def _why_not(snapshot: ResultSnapshot) -> str | None:
    if snapshot.stillborn:
        return "created as deleted"
    if not snapshot.active:
        return "deleted"
    return "has no score" if snapshot.score is None else None


# The formula of each method, with its numbers: of the values, the latest last; n; the mastery points.


def _highest(numbers: Sequence[float], _n: int, _mastery_points: float) -> str:
    return f"the highest of {_list(numbers)}" if len(numbers) > 1 else "the only result"


def _latest(numbers: Sequence[float], _n: int, _mastery_points: float) -> str:
    return f"the latest of {_list(numbers)}" if len(numbers) > 1 else "the only result"


def _average(numbers: Sequence[float], _n: int, _mastery_points: float) -> str:
    return f"mean: {_mean(numbers)}"


def _n_mastery(numbers: Sequence[float], n: int, mastery_points: float) -> str:
    reaching = [number for number in numbers if number >= mastery_points]
    level = f"{len(reaching)} of {len(numbers)} results reach {number_text(mastery_points)}"
    if len(reaching) < n or not reaching:
        return f"no score: {level}, {n} must"
    return f"{level} ({n} must), their mean: {_mean(reaching)}"


def _decaying_average(numbers: Sequence[float], n: int, _mastery_points: float) -> str:
    *earlier, latest = numbers
    if not earlier:
        return "the only result"
    return (
        f"the latest weighs {n} %, the mean of the others {100 - n} %:"
        f" {number_text(latest)} * {number_text(n / 100)} + {_mean(earlier)} * {number_text(1 - n / 100)}"
    )


def _standard_decaying_average(numbers: Sequence[float], n: int, _mastery_points: float) -> str:
    if len(numbers) == 1:
        return "the only result"
    text, average = "", numbers[0]
    for number in numbers[1:]:
        old = f"{number_text(average)} * {number_text(1 - n / 100)}"
        text = f"{old} + {number_text(number)} * {number_text(n / 100)}"
        average = average * (0.01 * (100 - n)) + number * (0.01 * n)
    before = "" if len(numbers) == 2 else f" (of {_list(numbers)}; the last step)"
    return f"each weighs {n} % against all before it{before}: {text}"


def _list(numbers: Sequence[float]) -> str:
    shown = ", ".join(number_text(number) for number in numbers[-_MOST:])
    return shown if len(numbers) <= _MOST else f"{len(numbers)} values, the last {_MOST}: {shown}"


def _mean(numbers: Sequence[float]) -> str:
    if len(numbers) == 1:
        return number_text(numbers[0])
    if len(numbers) <= _MOST:
        return f"({' + '.join(number_text(number) for number in numbers)}) / {len(numbers)}"
    return f"{number_text(fsum(numbers))} / {len(numbers)}"


_WORDS: Final[Mapping[Method, Callable[[Sequence[float], int, float], str]]] = {
    Method.HIGHEST: _highest,
    Method.LATEST: _latest,
    Method.AVERAGE: _average,
    Method.N_MASTERY: _n_mastery,
    Method.DECAYING_AVERAGE: _decaying_average,
    Method.WEIGHTED_AVERAGE: _decaying_average,
    Method.STANDARD_DECAYING_AVERAGE: _standard_decaying_average,
}

"""Why a row's numbers are what they are, for a person: what each result is worth, and the formula in words.

Everything comes from the row and its results. Of scales that courses have of their own, a row keeps only what
they made of the results: then there is a score without its formula.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Final, NamedTuple

from app.mastery.methods import Method, in_order_of_time, score, worth
from app.mastery.results import Results
from app.mastery.row import Row
from app.mastery.snapshot import ResultSnapshot

__all__ = ["ExplainedResult", "ExplainedScore", "Explanation", "explain", "number_text"]

#: As many values are written out; of more, their sum.
_MOST: Final = 6


class ExplainedResult(NamedTuple):
    """One result: what it is worth, None where nothing tells; and why it does not count, if so."""

    snapshot: ResultSnapshot
    value: float | None
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


class Explanation(NamedTuple):
    """Courses first, as Canvas shows them; the score over all courses; the results in order of their time."""

    courses: Sequence[ExplainedScore]
    whole: ExplainedScore
    results: Sequence[ExplainedResult]


def explain(results: Results, row: Row) -> Explanation:
    """Explain a row by the results that it was made from."""
    snapshots = results.snapshots
    values: dict[int, float | None] = {}
    courses = []
    for course in row.courses:
        here = [one for one in snapshots if one.course_id == course.course_id]
        told = _told(here, course.score, row)
        values |= told.values
        courses.append(
            ExplainedScore(
                course.course_id,
                course.course_uuid,
                course.score,
                course.mastery,
                course.results_count,
                course.last_assessed_at,
                told.formula,
            )
        )
    told = _told(snapshots, row.score, row)
    values = told.values | values
    whole = ExplainedScore(
        None, None, row.score, row.mastery, row.results_count, row.last_assessed_at, told.formula
    )
    explained = [ExplainedResult(one, values.get(id(one)), _why_not(one)) for one in snapshots]
    explained.sort(key=lambda one: (one.snapshot.assessed_at or 0) // 1000)
    return Explanation(courses, whole, explained)


def number_text(number: float) -> str:
    """A number as a person writes it, to four places."""
    return f"{round(number, 4):.10g}"


class _Told(NamedTuple):
    formula: str
    values: dict[int, float | None]
    """What each result that counts is worth, by `id` of its snapshot."""


def _told(snapshots: Sequence[ResultSnapshot], known: float | None, row: Row) -> _Told:
    counting = [one for one in snapshots if one.counts]
    if not counting:
        return _Told("no result counts", {})
    if row.calculation_method is None or row.points_possible is None or row.mastery_points is None:
        return _Told("no score, as no event has told of the outcome", {})
    method, n = Method(row.calculation_method), row.calculation_int
    points, mastery_points = row.points_possible, row.mastery_points
    if score(counting, method, n, points=points, mastery_points=mastery_points) != known:
        return _Told("computed on a mastery scale of its own, which the row does not keep", {})
    worths = worth(counting, method, points)
    values = {id(one): value for one, value in zip(counting, worths, strict=True)}
    numbers = in_order_of_time(counting, worths)
    if not numbers:
        return _Told("no score: no result that counts can be given a value", values)
    words = _WORDS[method](numbers, n or 0, mastery_points)
    return _Told(words if known is None else f"{words} = {number_text(known)}", values)


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

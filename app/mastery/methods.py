"""The calculation methods of Canvas: from the values of a student's results to one score."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from math import fsum, isfinite
from typing import Final, TypeVar

from app.mastery.rounding import round_to_cents
from app.mastery.snapshot import ResultSnapshot
from app.mastery.value import values, weighted_values

__all__ = ["DEFAULT_N", "VALID_N", "Method", "in_order_of_time", "score", "score_of", "weights", "worth"]

_Value = TypeVar("_Value")


class Method(StrEnum):
    """The methods, by Canvas's names. In events `decaying_average` is the older formula, always."""

    HIGHEST = "highest"
    LATEST = "latest"
    AVERAGE = "average"
    N_MASTERY = "n_mastery"
    DECAYING_AVERAGE = "decaying_average"
    WEIGHTED_AVERAGE = "weighted_average"
    STANDARD_DECAYING_AVERAGE = "standard_decaying_average"

    # Enum's own is written in Python, and looking a method up in a table is a good part of a roll-up's time.
    __hash__ = str.__hash__


DEFAULT_N: Final[Mapping[Method, int]] = {
    Method.N_MASTERY: 5,
    Method.DECAYING_AVERAGE: 65,
    Method.WEIGHTED_AVERAGE: 65,
    Method.STANDARD_DECAYING_AVERAGE: 65,
}
"""The `calculation_int` of the methods that have one, where the outcome sets none."""

VALID_N: Final[Mapping[Method, range]] = {
    Method.N_MASTERY: range(1, 11),
    Method.DECAYING_AVERAGE: range(1, 100),
    Method.WEIGHTED_AVERAGE: range(1, 100),
    Method.STANDARD_DECAYING_AVERAGE: range(50, 100),
}
"""What Canvas accepts as `calculation_int`."""

# Canvas does not weigh the results of a quiz for these.
_EACH_BY_ITSELF: Final = frozenset({Method.HIGHEST, Method.N_MASTERY})


def score(
    results: Sequence[ResultSnapshot], method: Method, n: int | None, *, points: float, mastery_points: float
) -> float | None:
    """The score of results that count, rounded to two places; None when there is none.

    `results` are in the order of their ids. `n` is the `calculation_int`, set where DEFAULT_N has the method.
    `points` is the upper end of the scale. None for no results, for n_mastery with fewer than `n` results of
    mastery, and for numbers beyond what a double holds.
    """
    worths = worth(results, method, points)
    # Putting them in order takes as long as all else here, and the highest is the highest in any.
    numbers = _known(worths) if method is Method.HIGHEST else in_order_of_time(results, worths)
    return score_of(numbers, method, n, mastery_points)


def score_of(numbers: Sequence[float], method: Method, n: int | None, mastery_points: float) -> float | None:
    """The score of `score`, of what its results are worth in order of time."""
    if not numbers:
        return None
    try:
        exact = _FORMULAS[method](numbers, n or 0, mastery_points)
    except (OverflowError, ValueError):  # fsum, of numbers that are too large
        return None
    return round_to_cents(exact) if exact is not None and isfinite(exact) else None


def worth(results: Sequence[ResultSnapshot], method: Method, points: float) -> list[float | None]:
    """What each of the results is worth to a method, as `app.mastery.value` tells."""
    return values(results, points) if method in _EACH_BY_ITSELF else weighted_values(results, points)


def in_order_of_time(results: Sequence[ResultSnapshot], numbers: Sequence[_Value | None]) -> list[_Value]:
    """The values, the latest last. Times count by whole seconds; within one, the order of ids stands.

    A result of no value is left out: Canvas fails on it.
    """
    known = _known(numbers)
    if len(known) < len(numbers):
        results = [result for result, value in zip(results, numbers, strict=True) if value is not None]
    seconds = [0 if result.assessed_at is None else result.assessed_at // 1000 for result in results]
    return [known[place] for place in sorted(range(len(known)), key=seconds.__getitem__)]


def _known(numbers: Sequence[_Value | None]) -> list[_Value]:
    return [number for number in numbers if number is not None]


def weights(
    numbers: Sequence[float], method: Method, n: int | None, mastery_points: float
) -> list[float] | None:
    """How much each of the values weighs in the score that `score` makes of them; in order of time, both.

    The sum of value * weight is the score before it is rounded. Of several highest values the first has all
    the weight. None where the method makes no score of them.
    """
    return _WEIGHTS[method](numbers, n or 0, mastery_points)


# One formula for each method: of the values, the latest last, at least one; the number n; the mastery points.


def _highest(numbers: Sequence[float], _n: int, _mastery_points: float) -> float:
    return max(numbers)


def _latest(numbers: Sequence[float], _n: int, _mastery_points: float) -> float:
    return numbers[-1]


def _average(numbers: Sequence[float], _n: int, _mastery_points: float) -> float:
    return _mean(numbers)


def _n_mastery(numbers: Sequence[float], n: int, mastery_points: float) -> float | None:
    """The mean of all values that reach mastery, if there are n of them."""
    reaching = [number for number in numbers if number >= mastery_points]
    return _mean(reaching) if reaching and len(reaching) >= n else None


def _decaying_average(numbers: Sequence[float], n: int, _mastery_points: float) -> float:
    """The latest weighs n percent, the mean of all before it the rest. People read: weighted average."""
    *earlier, latest = numbers
    # 0.01 * n and not n / 100, as Canvas has it: 0.01 * 35 is a different double.
    return latest * (0.01 * n) + _mean(earlier) * (0.01 * (100 - n)) if earlier else latest


def _standard_decaying_average(numbers: Sequence[float], n: int, _mastery_points: float) -> float:
    """Each weighs n percent, against all before it together. People read: decaying average."""
    average = numbers[0]
    for number in numbers[1:]:
        average = average * (0.01 * (100 - n)) + number * (0.01 * n)
    return average


def _mean(numbers: Sequence[float]) -> float:
    # Ruby's Array#sum makes up for lost digits, as fsum does.
    return fsum(numbers) / len(numbers)


_FORMULAS: Final[Mapping[Method, Callable[[Sequence[float], int, float], float | None]]] = {
    Method.HIGHEST: _highest,
    Method.LATEST: _latest,
    Method.AVERAGE: _average,
    Method.N_MASTERY: _n_mastery,
    Method.DECAYING_AVERAGE: _decaying_average,
    Method.WEIGHTED_AVERAGE: _decaying_average,
    Method.STANDARD_DECAYING_AVERAGE: _standard_decaying_average,
}


# The weights that make the same of each value by itself.


def _highest_weighs(numbers: Sequence[float], _n: int, _mastery_points: float) -> list[float]:
    return _all_at(numbers.index(max(numbers)), len(numbers))


def _latest_weighs(numbers: Sequence[float], _n: int, _mastery_points: float) -> list[float]:
    return _all_at(len(numbers) - 1, len(numbers))


def _all_weigh_alike(numbers: Sequence[float], _n: int, _mastery_points: float) -> list[float]:
    return [1 / len(numbers)] * len(numbers)


def _reaching_weigh(numbers: Sequence[float], n: int, mastery_points: float) -> list[float] | None:
    reach = [number >= mastery_points for number in numbers]
    return [one / sum(reach) for one in reach] if any(reach) and sum(reach) >= n else None


def _latest_weighs_n(numbers: Sequence[float], n: int, _mastery_points: float) -> list[float]:
    earlier = len(numbers) - 1
    return [0.01 * (100 - n) / earlier] * earlier + [0.01 * n] if earlier else [1.0]


def _each_weighs_n(numbers: Sequence[float], n: int, _mastery_points: float) -> list[float]:
    later, rest = len(numbers) - 1, 0.01 * (100 - n)
    return [rest**later, *(0.01 * n * rest**place for place in reversed(range(later)))]


def _all_at(place: int, places: int) -> list[float]:
    return [float(one == place) for one in range(places)]


_WEIGHTS: Final[Mapping[Method, Callable[[Sequence[float], int, float], list[float] | None]]] = {
    Method.HIGHEST: _highest_weighs,
    Method.LATEST: _latest_weighs,
    Method.AVERAGE: _all_weigh_alike,
    Method.N_MASTERY: _reaching_weigh,
    Method.DECAYING_AVERAGE: _latest_weighs_n,
    Method.WEIGHTED_AVERAGE: _latest_weighs_n,
    Method.STANDARD_DECAYING_AVERAGE: _each_weighs_n,
}

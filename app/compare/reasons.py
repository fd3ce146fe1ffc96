"""Why two scores differ: what would make ours Canvas's, found by trying, and what is known to differ.

Tried are: without one or two of the results, in another order, with the definition that Canvas tells. Only
what comes to Canvas's very score is told, and, where Canvas says of how many results it is, of as many.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from app.compare.pairs import Pair, State
from app.mastery.explain import number_text
from app.mastery.methods import DEFAULT_N, Method, in_order_of_time, score_of, worth
from app.mastery.snapshot import ResultSnapshot

__all__ = ["reasons"]

#: Of more results, those left out are not looked for two by two.
_MOST_PAIRS: Final = 20
_TOLERANCE: Final = 0.005
_BY_TIME: Final = {
    Method.LATEST,
    Method.DECAYING_AVERAGE,
    Method.WEIGHTED_AVERAGE,
    Method.STANDARD_DECAYING_AVERAGE,
}


class _Basis(NamedTuple):
    method: Method
    n: int | None
    points: float
    mastery_points: float


def reasons(pair: Pair) -> list[str]:
    """Say why, in sentences, the likeliest first. At least one for every pair that is not equal."""
    match pair.state:
        case State.EQUAL:
            return []
        case State.ONLY_IN_CANVAS:
            return list(_only_in_canvas(pair))
        case State.ONLY_HERE:
            return list(_only_here(pair))
        case State.DIFFERENT:
            return list(_different(pair))


def _only_in_canvas(pair: Pair) -> Iterator[str]:
    if pair.stored is None or pair.course is None:
        yield (
            "no event told of a result: it was there before the stream began (mastery backfill brings it), or"
            " comes from New Quizzes, whose results may never be sent"
        )
    elif pair.stored.row.calculation_method is None:
        yield (
            "the results are here, but no event told of the outcome, so there is no score: mastery backfill"
            " brings outcomes that were made before the stream began"
        )
    elif pair.course.results_count == 0:
        yield "all results that events told of are deleted here, or their scores were cleared"
    else:
        yield "the method makes no score of the results that are here"
        yield from _counts(pair)


def _only_here(pair: Pair) -> Iterator[str]:
    if pair.canvas_user_id is None:
        yield "the student is not in Canvas's file: the enrolment ended, or a filter was set"
    elif not pair.linked:
        yield "the outcome is no longer one of the course in Canvas; its results stay, and no event tells"
    elif pair.canvas is not None and pair.canvas.count:
        told = [*_by_definition(pair), *_by_results(pair)]
        yield from told or ["Canvas has results and makes no score of them: see its outcome's method"]
    else:
        yield (
            "Canvas counts no result: all are hidden from the gradebook, their grades are not posted, or"
            " their alignment was deleted, which no event tells"
        )


def _different(pair: Pair) -> Iterator[str]:
    told = [*_by_definition(pair), *_by_results(pair)]
    yield from told
    if not told:
        yield from _counts(pair)
    if pair.stored is not None and pair.stored.row.scale_source == "proficiency":
        yield (
            "computed here on the scale of a proficiency: Canvas takes that of the course or its account, and"
            " events do not tell which course lies in which account"
        )


def _by_definition(pair: Pair) -> Iterator[str]:
    """Whether Canvas computes with something else than the last event told."""
    ours, theirs = _our_basis(pair), _their_basis(pair)
    if ours is None or theirs is None or ours == theirs:
        return
    said = f"Canvas computes with {_words(theirs)}, here it is {_words(ours)}"
    if _is(pair, _score(_counting(pair), theirs)):
        yield f"{said}: with that, the score would be equal"
    else:
        yield said


def _by_results(pair: Pair) -> Iterator[str]:
    """Whether leaving results out, or another order of them, comes to Canvas's score."""
    basis, counting = _our_basis(pair), _counting(pair)
    if basis is None or pair.course is None or not _same(_score(counting, basis), pair.course.score):
        # Computed on a scale of its own, which the row does not keep.
        return
    count = pair.canvas.count if pair.canvas else None
    most = 2 if len(counting) <= _MOST_PAIRS else 1
    # At least one is left: Canvas makes no score of none.
    for out in range(1, min(most, len(counting) - 1) + 1):
        if count is not None and count != len(counting) - out:
            continue
        for left in combinations(counting, len(counting) - out):
            if _is(pair, _score(left, basis)):
                gone = [one for one in counting if one not in left]
                names = " and ".join(one.id or "without id" for one in gone)
                yield (
                    f"equal without result {names}: Canvas may not count it, as it is hidden, its grade not"
                    " posted, or its alignment deleted"
                )
                return
    if count in (None, len(counting)) and basis.method in _BY_TIME:
        yield from _by_order(pair, basis, counting)


def _by_order(pair: Pair, basis: _Basis, counting: Sequence[ResultSnapshot]) -> Iterator[str]:
    """Canvas goes by when work was handed in, events tell when it was assessed."""
    numbers = in_order_of_time(
        counting,
        [
            None if value is None else (value, one)
            for value, one in zip(worth(counting, basis.method, basis.points), counting, strict=True)
        ],
    )
    for place in range(len(numbers) - 1):
        moved = [*numbers[:place], *numbers[place + 1 :], numbers[place]]
        if _is(pair, score_of([value for value, _ in moved], basis.method, basis.n, basis.mastery_points)):
            yield (
                f"equal if result {numbers[place][1].id or 'without id'} were the latest: Canvas goes by when"
                " work was handed in, and events tell when it was assessed"
            )
            return


def _counts(pair: Pair) -> Iterator[str]:
    here = pair.course.results_count if pair.course else 0
    there = pair.canvas.count if pair.canvas else None
    if there is None:
        yield "Canvas's file does not say of how many results: the REST answer does, a CSV export does not"
    elif there < here:
        yield (
            f"Canvas counts {there} of {here} results: others are hidden, not posted, or their alignment was"
            " deleted, which no event tells"
        )
    elif there > here:
        yield (
            f"Canvas counts {there} results, and {here} are here: the others were there before the stream"
            " began (mastery backfill brings them), come from New Quizzes, or their events were lost"
        )
    else:
        basis = _our_basis(pair)
        by_time = basis is not None and basis.method in _BY_TIME
        order = ", or Canvas orders them by another time" if by_time else ""
        yield f"as many results on both sides: one of them may have changed without an event{order}"


def _our_basis(pair: Pair) -> _Basis | None:
    row = pair.stored.row if pair.stored else None
    if row is None or None in (row.calculation_method, row.points_possible, row.mastery_points):
        return None
    return _Basis(
        _formula(Method(str(row.calculation_method))),
        row.calculation_int,
        row.points_possible or 0.0,
        row.mastery_points or 0.0,
    )


def _their_basis(pair: Pair) -> _Basis | None:
    """What Canvas's outcome says, with ours for what it leaves out."""
    told, ours = pair.definition, _our_basis(pair)
    if told is None or ours is None:
        return None
    try:
        method = _formula(Method(told.calculation_method)) if told.calculation_method else ours.method
    except ValueError:
        return None
    n = (told.calculation_int or DEFAULT_N[method]) if method in DEFAULT_N else None
    points = ours.points if told.points_possible is None else told.points_possible
    mastery = ours.mastery_points if told.mastery_points is None else told.mastery_points
    return _Basis(method, n, points, mastery)


def _formula(method: Method) -> Method:
    """One name for the two that have one formula."""
    return Method.DECAYING_AVERAGE if method is Method.WEIGHTED_AVERAGE else method


def _counting(pair: Pair) -> list[ResultSnapshot]:
    if pair.stored is None or pair.course is None:
        return []
    return [
        one for one in pair.stored.results.snapshots if one.counts and one.course_id == pair.course.course_id
    ]


def _score(counting: Sequence[ResultSnapshot], basis: _Basis) -> float | None:
    numbers = in_order_of_time(counting, worth(counting, basis.method, basis.points))
    return score_of(numbers, basis.method, basis.n, basis.mastery_points)


def _is(pair: Pair, score: float | None) -> bool:
    return _same(score, pair.canvas.score if pair.canvas else None)


def _same(one: float | None, other: float | None) -> bool:
    return one is None and other is None if one is None or other is None else abs(one - other) < _TOLERANCE


def _words(basis: _Basis) -> str:
    n = "" if basis.n is None else f" {basis.n}"
    return f"{basis.method}{n}, mastery at {number_text(basis.mastery_points)} of {number_text(basis.points)}"

"""What one result is worth on the outcome's scale."""

from collections.abc import Sequence
from typing import Final

from app.mastery.snapshot import ResultSnapshot

__all__ = ["QUIZ_SUBMISSION", "values", "weighted_values"]

QUIZ_SUBMISSION: Final = "Quizzes::QuizSubmission"


def values(results: Sequence[ResultSnapshot], points: float) -> list[float | None]:
    """The value of each result: its share of the possible points, on a scale up to `points`.

    A result without a percentage is worth its score as it is.
    """
    return [
        result.percent * points if result.percent is not None else result.score  # the usual case first
        for result in results
    ]


def weighted_values(results: Sequence[ResultSnapshot], points: float) -> list[float | None]:
    """The same, but results of one classic quiz share a value, weighted by their possible points.

    A quiz that draws on several question banks has a result for each of them. All are worth
    `points * sum(possible * percent) / sum(possible)`, over the results of that quiz. A result without
    possible points or percentage adds nothing; where all add nothing, the value is None. `results` must be
    in the order of their ids: floating point sums depend on it.
    """
    if QUIZ_SUBMISSION not in [result.work.artifact_type for result in results]:
        return values(results, points)
    sums: dict[object, tuple[float, float]] = {}
    for result in results:
        if result.possible is not None and result.percent is not None:
            possible, earned = sums.get(_quiz(result), (0.0, 0.0))
            sums[_quiz(result)] = possible + result.possible, earned + result.possible * result.percent
    weighted = values(results, points)
    for index, result in enumerate(results):
        if result.work.artifact_type == QUIZ_SUBMISSION:
            possible, earned = sums.get(_quiz(result), (0.0, 0.0))
            weighted[index] = earned / possible * points if possible else None
    return weighted


def _quiz(result: ResultSnapshot) -> object:
    """What results of one quiz have in common; a result that does not name its quiz stands alone."""
    work = result.work
    return (work.asset_type, work.asset_id) if work.asset_id else result.identity

"""From a row to its lines as they stand in a view."""

from typing import NamedTuple

from app.mastery.row import Row
from app.views.layout import FIRST, WHOLE

__all__ = ["Basis", "StoredLine", "basis_of", "hundredths", "lines_of"]


class Basis(NamedTuple):
    """What is alike in many rows. `rating` is of the overall score."""

    mastery_points: float | None
    points_possible: float | None
    method: str | None
    n: int | None
    state: str
    rating: str | None


class StoredLine(NamedTuple):
    """The columns of `lines` behind those of its key."""

    score: float | None
    mastery: int | None
    results: int
    assessed: int | None
    overall: float | None
    overall_mastery: int | None
    basis: int
    flags: int
    changed_at: int


def basis_of(row: Row) -> Basis:
    """What the row has in common with others."""
    return Basis(
        row.mastery_points,
        row.points_possible,
        row.calculation_method,
        row.calculation_int,
        row.definition_state,
        row.rating,
    )


def lines_of(row: Row, basis: int, changed_at: int) -> dict[str, StoredLine]:
    """The lines of a row by course id; one of the course "" where no result is of any course.

    Results of no course beside others that have one count in the overall score alone.
    """
    overall = row.score, row.results_count, row.last_assessed_at
    courses = [
        (one.course_id, one.score, one.mastery, one.results_count, one.last_assessed_at)
        for one in row.courses
    ]
    if not courses:
        courses = [("", row.score, row.mastery, row.results_count, row.last_assessed_at)]
    lines = {}
    flags = FIRST
    for course, score, mastery, results, assessed in courses:
        # With all the results, the whole was computed on the course's own scale: app.mastery.rollup.
        whole = WHOLE if (score, results, assessed) == overall else 0
        lines[course] = StoredLine(
            score, mastery, results, assessed, row.score, row.mastery, basis, flags | whole, changed_at
        )
        flags = 0
    return lines


def hundredths(score: float | None) -> int:
    """A score, which has two decimal places, as a whole number; 0 for none."""
    return 0 if score is None else round(score * 100)

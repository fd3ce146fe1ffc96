"""What views are asked, and what they answer. Times are seconds since 1970, scores points of the scale."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from app.mastery.snapshot import RowKey

__all__ = [
    "EVERYTHING",
    "Change",
    "Counts",
    "CourseGrid",
    "CourseStats",
    "Line",
    "Listener",
    "Order",
    "OutcomeScore",
    "OutcomeStats",
    "Page",
    "PartitionView",
    "Scope",
    "Search",
]

T = TypeVar("T")


class Order(StrEnum):
    """Orders of lines; `-` is the other way round, ties too. Lines without a value come last in both."""

    STUDENT = "student"
    """By user, root account, outcome id, course id."""
    OUTCOME = "outcome"
    """By title in any case, outcome id, root account; then as STUDENT."""
    SCORE = "score"
    """By the course's score; then as STUDENT."""
    SCORE_DOWN = "-score"
    ASSESSED = "assessed"
    ASSESSED_DOWN = "-assessed"


class Scope(NamedTuple):
    """Root accounts and courses that may be seen; None for all. With courses, what has none is not seen."""

    accounts: frozenset[str] | None = None
    courses: frozenset[str] | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Search:
    """Which lines, in which order, from where on. All that is set has to hold."""

    account: str | None = None
    users: tuple[str, ...] | None = None
    """Uuids of students, any of them; () for nobody."""
    outcome: str | None = None
    """An outcome's id, or a part of its title in any case."""
    course: str | None = None
    """A course's id; "" for results of no course."""
    mastered: bool | None = None
    """In the course; either leaves out lines without a score."""
    score_from: float | None = None
    """The course's score, at least; leaves out lines without a score."""
    score_to: float | None = None
    order: Order = Order.STUDENT
    limit: int = 50
    cursor: str | None = None
    """`next` or `previous` of a page of the same search; of another one: CursorUnfit."""


class Line(NamedTuple):
    """One student, outcome and course. Names and units are those of app.web.models.mastery.MasteryRow."""

    root_account_uuid: str
    user_uuid: str
    learning_outcome_id: str
    outcome_title: str | None
    course_id: str | None
    """None: no result of the row belongs to a course; the scores are those over all then."""
    score: float | None
    mastery: bool | None
    rating: str | None
    """Of the overall score, where that is the course's score too; else None: the scale's levels tell it."""
    results_count: int
    last_assessed_at: float | None
    overall_score: float | None
    overall_mastery: bool | None
    overall_rating: str | None
    mastery_points: float | None
    points_possible: float | None
    calculation_method: str | None
    calculation_int: int | None
    definition_state: str
    changed_at: float
    """When the row was written to the changelog."""


class Page(NamedTuple, Generic[T]):
    """A part of a list, in its order, with cursors to what comes after and before it, None at the ends."""

    rows: tuple[T, ...]
    next: str | None
    previous: str | None


class OutcomeStats(NamedTuple):
    """How the students of one outcome stand, over all courses.

    Where the scope has courses, each pair of student and course in it counts instead, with its score.
    """

    root_account_uuid: str
    learning_outcome_id: str
    outcome_title: str | None
    rows: int
    """With a score or without."""
    scored: int
    mastered: int
    total: float
    """Sum of the scores: the mean is total / scored."""


class OutcomeScore(NamedTuple):
    """A score that students have in an outcome."""

    score: float | None
    mastery: bool | None
    rating: str | None
    """None of a course's score that is not the overall score."""


class CourseStats(NamedTuple):
    """One course. `scored` and `mastered` are of pairs of student and outcome."""

    root_account_uuid: str
    course_id: str
    students: int
    outcomes: frozenset[str]
    scored: int
    mastered: int


class CourseGrid(NamedTuple):
    """Students of a course, with all of their lines in it."""

    course: CourseStats
    outcomes: tuple[OutcomeStats, ...]
    """All outcomes of the course, by title: numbers are of the course's scores."""
    students: Page[tuple[RowKey, tuple[Line, ...]]]
    """By user; the key's outcome is ""."""


class Counts(NamedTuple):
    """What the ready partitions of this worker hold. Outcomes are pairs of root account and id."""

    rows: int
    students: int
    outcomes: int


class PartitionView(NamedTuple):
    """How far the view of one partition is. Offsets are positions in the changelog."""

    partition: int
    applied: int
    end: int | None
    """End of the changelog as last seen; None before the broker told it."""
    ready: bool
    """Whether it is in the answers: false until it holds all that the changelog held when it began."""
    progress: float
    """0 to 1, until it is ready."""
    current_at: float
    """When the view last held all that was committed."""
    error: str | None
    """Why it is not going on, for a person."""


class Change(NamedTuple):
    """A row that was written, or deleted (`deleted`; the rest is None then)."""

    root_account_uuid: str
    user_uuid: str
    learning_outcome_id: str
    outcome_title: str | None
    score: float | None
    mastery: bool | None
    changed_at: float
    courses: tuple[str, ...]
    deleted: bool = False


Listener = Callable[[tuple[Change, ...]], None]
"""Called in the builder's thread, after the change can be seen. It must return at once and raise nothing."""

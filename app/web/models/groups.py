"""Many students at once: an outcome's distribution, a course's grid, and the lists of both.

A count that is None is hidden from whoever asked: the group is too small to be told, or not theirs.
"""

from pydantic import Field

from app.web.models.base import Answer, Frozen
from app.web.models.mastery import MasteryRow

__all__ = [
    "CourseAnswer",
    "CourseList",
    "CourseSummary",
    "DefinitionVersion",
    "GridCell",
    "GridOutcome",
    "GridStudent",
    "LevelCount",
    "OutcomeAnswer",
    "OutcomeList",
    "OutcomeSummary",
    "StepCount",
]


class LevelCount(Frozen):
    """How many students reach a level and no higher one. Percentages are of students with a result."""

    points: float | None = Field(description="Points of the level; None: below the lowest.")
    description: str | None
    color: str | None = Field(default=None, description="RRGGBB, where a proficiency gives one.")
    mastery: bool
    students: int
    step: int | None = Field(default=None, description="Step of the colours, as of a grid's cell.")


class StepCount(Frozen):
    """How many students stand on a step, or on neighbouring ones that are counted together."""

    steps: tuple[int, ...] = Field(
        description="4 above mastery, 3 mastery, 2 the level below it, 1 the next, 0 all others; the highest"
        " first."
    )
    students: int
    points: float | None = Field(
        default=None, description="Lowest score that stands there. None: the scale has no such level."
    )


class OutcomeSummary(Frozen):
    """One outcome in a list. Counts and mean are over all courses, of students with a result."""

    root_account_uuid: str
    learning_outcome_id: str
    title: str | None
    definition_state: str
    calculation_method: str | None
    calculation_int: int | None
    mastery_points: float | None
    points_possible: float | None
    students: int | None
    scored: int | None = Field(default=0, description="Students with a score: the mean is theirs.")
    mastered: int | None
    mean: float | None
    steps: tuple[StepCount, ...] = Field(
        default=(),
        description="Students with a score by step, the highest first. Empty: no scale is known, or hidden.",
    )


class OutcomeList(Answer):
    """Outcomes by title, then id."""

    outcomes: tuple[OutcomeSummary, ...]
    next: str | None = None
    previous: str | None = None


class DefinitionVersion(Frozen):
    """An outcome as one event told it."""

    time: float
    event: str = Field(description="learning_outcome_created or learning_outcome_updated.")
    title: str | None
    calculation_method: str | None
    calculation_int: int | None
    mastery_points: float | None
    points_possible: float | None
    levels: tuple[tuple[float, str | None], ...]
    in_force: bool
    """Whether it is the latest."""


class OutcomeAnswer(Answer):
    """One outcome: its definition, history, and how students stand."""

    outcome: OutcomeSummary
    description: str | None = Field(
        default=None, description="Text as Canvas sent it; may hold HTML: show as text."
    )
    scale_source: str | None
    definition_version: str | None
    definition_time: float | None
    levels: tuple[LevelCount, ...]
    no_evidence: int | None = Field(description="Students known to the outcome who have no score.")
    median: float | None
    score_counts: dict[str, int] = Field(
        default_factory=dict, description="How many students have each score over all courses."
    )
    near_mastery: tuple[MasteryRow, ...] = Field(description="The closest below mastery, at most 20.")
    history: tuple[DefinitionVersion, ...]
    history_complete: bool = True
    courses: tuple[str, ...] = Field(
        default=(), description="Ids of courses with results of it, at most 100."
    )


class CourseSummary(Frozen):
    """One course in a list."""

    root_account_uuid: str
    course_id: str
    course_name: str | None = None
    students: int
    outcomes: int = Field(description="At least so many: workers that share a course tell the most of them.")
    mastered: int = Field(description="Pairs of student and outcome that are mastered in this course.")
    scored: int = Field(description="Pairs that have a score.")


class CourseList(Answer):
    """Courses by root account and id."""

    courses: tuple[CourseSummary, ...]
    next: str | None = None
    previous: str | None = None


class GridOutcome(Frozen):
    """A column of the grid."""

    learning_outcome_id: str
    title: str | None
    mastery_points: float | None
    points_possible: float | None
    mean: float | None = Field(description="Over all students of the course with a score.")
    students: int | None = Field(description="Students of the course with a score.")
    mastered: int | None


class GridCell(Frozen):
    """A student's score of the course in one outcome. None: no evidence."""

    score: float | None
    mastery: bool | None
    rating: str | None
    color: str | None = None
    level: int | None = Field(
        default=None,
        description="Step of the colours: 4 above mastery, 3 mastery, 2 near, 1 below, 0 well below.",
    )


class GridStudent(Frozen):
    """A line of the grid: a cell for each of the grid's outcomes, None without a row."""

    user_uuid: str
    user_name: str | None = None
    cells: tuple[GridCell | None, ...]


class CourseAnswer(Answer):
    """Students by outcomes of one course."""

    course: CourseSummary
    outcomes: tuple[GridOutcome, ...]
    students: tuple[GridStudent, ...]
    next: str | None = None
    previous: str | None = None

"""Rows: lists of them, and one student with the results behind each score."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from app.web.models.base import LONGEST_CURSOR, Answer, Frozen

__all__ = [
    "CourseScoreDetail",
    "MasteryPage",
    "MasteryQuery",
    "MasteryRow",
    "ResultDetail",
    "ResultState",
    "Sort",
    "StudentAnswer",
    "StudentOutcome",
]


class Sort(StrEnum):
    """Orders of a list; with `-` before it the other way round. Rows without a value come last."""

    STUDENT = "student"
    OUTCOME = "outcome"
    SCORE = "score"
    SCORE_DOWN = "-score"
    ASSESSED = "assessed"
    ASSESSED_DOWN = "-assessed"


class MasteryQuery(BaseModel):
    """What of the rows is wanted; every part narrows it. It is the query string of `/mastery`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str | None = Field(default=None, max_length=255, description="Root account uuid.")
    user: str | None = Field(
        default=None,
        max_length=255,
        description="Student uuid; where there is a roster, also a part of the name.",
    )
    users: tuple[str, ...] | None = Field(
        default=None, max_length=100, description="Student uuids, any of them: those that a name stands for."
    )
    outcome: str | None = Field(
        default=None, max_length=255, description="Outcome id, or a part of its title, in any case."
    )
    course: str | None = Field(default=None, max_length=255, description="Course id.")
    mastered: bool | None = Field(default=None, description="Of the course's score; unset: both.")
    score_from: float | None = Field(default=None, allow_inf_nan=False, description="Course score at least.")
    score_to: float | None = Field(default=None, allow_inf_nan=False, description="Course score at most.")
    sort: Sort = Sort.STUDENT
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(
        default=None, max_length=LONGEST_CURSOR, description="`next` or `previous` of a page."
    )


class MasteryRow(Frozen):
    """One student, outcome and course. `score` is the course's, which Canvas shows."""

    root_account_uuid: str
    user_uuid: str
    user_name: str | None = Field(default=None, description="From the roster.")
    learning_outcome_id: str
    outcome_title: str | None
    course_id: str | None = Field(description="None for results that belong to no course.")
    course_name: str | None = None
    score: float | None = Field(description="In this course. None: no evidence.")
    mastery: bool | None
    rating: str | None = Field(description="Level that the course's score reaches.")
    rating_color: str | None = Field(default=None, description="RRGGBB that a proficiency gives the level.")
    results_count: int
    last_assessed_at: float | None
    overall_score: float | None = Field(description="Over all courses.")
    overall_mastery: bool | None
    mastery_points: float | None
    points_possible: float | None
    calculation_method: str | None
    calculation_int: int | None
    definition_state: str


class MasteryPage(Answer):
    """A part of a list, in its order."""

    rows: tuple[MasteryRow, ...]
    next: str | None = Field(default=None, description="Cursor of the page after it; None on the last.")
    previous: str | None = None


class ResultState(StrEnum):
    """What a result does for a score."""

    COUNTED = "counted"
    DELETED = "deleted"
    SUPERSEDED = "superseded"
    """Another result of the same work took its place, or it was created as deleted beside another."""
    CLEARED = "cleared"
    """It has no score."""


class ResultDetail(Frozen):
    """One result behind a score. Numbers of the value are on the outcome's scale."""

    id: str | None
    work: str = Field(description="What was assessed, such as 'Assignment 12', for a person.")
    artifact_type: str
    artifact_id: str
    course_id: str | None
    assessed_at: float | None
    score: float | None
    possible: float | None
    percent: float | None
    value: float | None = Field(description="What it is worth on the scale of the outcome.")
    weight: float | None = Field(description="Share of its value in the course's score, 0 to 1.")
    state: ResultState
    why_not: str | None = Field(description="Why it does not count, for a person.")
    updated_at: float | None
    event_time: float


class CourseScoreDetail(Frozen):
    """A score and how it came about. `course_id` None: over all courses."""

    course_id: str | None
    course_name: str | None = None
    score: float | None
    mastery: bool | None
    rating: str | None
    rating_color: str | None = None
    mastery_points: float | None = Field(
        default=None, description="Of the scale it is rated on, where that is not the outcome's."
    )
    points_possible: float | None = None
    levels: tuple[tuple[float, str | None, str | None], ...] = Field(
        default=(), description="Of that scale, as in the outcome."
    )
    results_count: int
    last_assessed_at: float | None
    formula: str = Field(description="The method with its numbers filled in, in words.")
    results: tuple[ResultDetail, ...] = Field(description="Those of this course, in order of time.")
    hidden: bool = Field(default=False, description="Whether it is not told to whoever asks.")


class StudentOutcome(Frozen):
    """One outcome of a student."""

    root_account_uuid: str
    learning_outcome_id: str
    outcome_title: str | None
    mastery_points: float | None
    points_possible: float | None
    calculation_method: str | None
    calculation_int: int | None
    definition_state: str
    scale_source: str | None
    definition_version: str | None
    definition_time: float | None
    last_event_time: float | None
    levels: tuple[tuple[float, str | None, str | None], ...] = Field(
        default=(),
        description="Points, description and colour (RRGGBB) of the scale's levels, highest first.",
    )
    courses: tuple[CourseScoreDetail, ...]
    overall: CourseScoreDetail
    former_works: int = Field(
        default=0, description="Works that results named earlier: results without id of them are not taken."
    )


class StudentAnswer(Answer):
    """All that is known of one student."""

    user_uuid: str
    user_name: str | None = None
    outcomes: tuple[StudentOutcome, ...]

"""What is published of one student and one outcome. Fields are those of `canvas.outcome_mastery`."""

from collections.abc import Sequence

import msgspec

__all__ = ["CourseScore", "Row", "courses_left"]


class CourseScore(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The score in one course: what Canvas itself shows. Fields as in Row."""

    course_id: str
    course_uuid: str | None
    score: float | None
    mastery: bool | None
    results_count: int
    last_assessed_at: int | None


class Row(msgspec.Struct, frozen=True, gc=False):
    """The mastery of one student in one outcome, over all courses and in each.

    A function of the latest snapshots of the results, and of the definition. Two rows are equal if and only
    if their content is; a row is to be published when it differs from the one before.
    """

    root_account_uuid: str
    user_uuid: str
    learning_outcome_id: str
    score: float | None
    """Rounded to two places. None without results that count, without a definition, or as the method says."""
    mastery: bool | None
    """Whether the score reaches the mastery points; None without a score."""
    rating: str | None
    """Description of the level that the score reaches; None below the lowest level, or where it has none."""
    mastery_points: float | None
    points_possible: float | None
    """The points computed with. They, and the next two, are None only while the outcome is unknown."""
    calculation_method: str | None
    """The method computed with."""
    calculation_int: int | None
    """Set for n_mastery and the decaying averages alone."""
    results_count: int
    """Results that count: not deleted, and with a score."""
    last_assessed_at: int | None
    """Of the results that count."""
    definition_state: str
    """known, assumed, invalid or unknown."""
    scale_source: str | None
    """outcome or proficiency; None while the outcome is unknown."""
    definition_version: str | None
    definition_time: int | None
    outcome_title: str | None
    rating_points: float | None
    """Points from which on the level holds that the score reaches."""
    last_event_time: int | None
    """When the latest of the events was sent that told the present state of the results, deleted ones too."""
    courses: tuple[CourseScore, ...]
    """By course id. A course all of whose results were deleted stays, with 0 of them."""


def courses_left(before: Row | None, after: Row) -> Sequence[str]:
    """Ids of the courses that the row was about and no longer is: a result moved, or took another's place."""
    if before is None or before.courses == after.courses:
        return []
    remaining = {course.course_id for course in after.courses}
    return [course.course_id for course in before.courses if course.course_id not in remaining]

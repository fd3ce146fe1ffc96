"""What consumers see of a row: its records on `outcome_mastery` and `course_outcome_mastery`."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from app.mastery.row import Row, courses_left
from app.stream.batch import TypedRecord

__all__ = ["CourseRow", "Publication"]


class CourseRow(msgspec.Struct, frozen=True, gc=False):
    """A record of `course_outcome_mastery`: one course of a Row, flat. Times in milliseconds since 1970."""

    root_account_uuid: str
    user_uuid: str
    learning_outcome_id: str
    course_id: str
    course_uuid: str | None
    score: float | None
    mastery: bool | None
    results_count: int
    last_assessed_at: int | None
    definition_state: str
    outcome_title: str | None
    last_event_time: int | None


class Publication:
    """Turns a changed row into records. The encoders are those of the two schemas, with plain times."""

    def __init__(
        self,
        *,
        row_topic: str,
        course_topic: str,
        encode_row: Callable[[Any], bytes],
        encode_course: Callable[[Any], bytes],
    ) -> None:
        self._row_topic = row_topic
        self._course_topic = course_topic
        self._encode_row = encode_row
        self._encode_course = encode_course

    def records(self, key: bytes, before: Row | None, after: Row, now: int) -> list[TypedRecord]:
        """The row's record, one for each course that changed, and tombstones for courses that it left.

        `key` is that of the row, `now` in milliseconds since 1970.
        """
        topic = self._course_topic
        made: list[TypedRecord] = [(self._row_topic, self._encode_row(after), key, -1, None, None, now)]
        for course in _changed_courses(before, after):
            encoded = self._encode_course(course)
            made.append((topic, encoded, _course_key(key, course.course_id), -1, None, None, now))
        left = courses_left(before, after)
        made += [(topic, None, _course_key(key, course_id), -1, None, None, now) for course_id in left]
        return made

    def tombstones(self, key: bytes, before: Row, now: int) -> Iterator[TypedRecord]:
        """Yield what takes the row and its courses away from consumers."""
        yield (self._row_topic, None, key, -1, None, None, now)
        for course in before.courses:
            yield (self._course_topic, None, _course_key(key, course.course_id), -1, None, None, now)


def _course_key(key: bytes, course_id: str) -> bytes:
    return key + b":" + course_id.encode()


def _changed_courses(before: Row | None, after: Row) -> list[CourseRow]:
    courses = after.courses
    if before is not None and (
        before.definition_state == after.definition_state
        and before.outcome_title == after.outcome_title
        and before.last_event_time == after.last_event_time
    ):
        known = {course.course_id: course for course in before.courses}
        courses = tuple(course for course in courses if known.get(course.course_id) != course)
    return [
        CourseRow(
            after.root_account_uuid,
            after.user_uuid,
            after.learning_outcome_id,
            course.course_id,
            course.course_uuid,
            course.score,
            course.mastery,
            course.results_count,
            course.last_assessed_at,
            after.definition_state,
            after.outcome_title,
            after.last_event_time,
        )
        for course in courses
    ]

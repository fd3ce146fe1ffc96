"""Rows of mastery as JSON, and as lines of a table with fields of one value each."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from app.mastery.row import CourseScore, Row
from app.values import timestamp_text

__all__ = ["COURSE_FIELDS", "FIELDS", "row_json", "row_lines", "time_text"]

_TIMES: Final = {"last_assessed_at", "definition_time", "last_event_time"}

#: Of one line for each row: those of the topic, without its courses.
FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(Row) if field.name != "courses")

#: What is added where courses have lines of their own; empty on the line over all courses.
COURSE_FIELDS: Final = ("course_id", "course_uuid")

# Those that a course has of its own. Its line repeats the others, apart from the level: that is of the whole.
_OF_COURSE: Final = tuple(field.name for field in msgspec.structs.fields(CourseScore))
_OF_WHOLE_ALONE: Final = {"rating", "rating_points", "last_event_time"}


def row_json(row: Row) -> dict[str, Any]:
    """The row with the names of `canvas.outcome_mastery`; times as ISO 8601 in UTC."""
    shown = _with_texts(msgspec.structs.asdict(row))
    shown["courses"] = [_with_texts(msgspec.structs.asdict(course)) for course in row.courses]
    return shown


def row_lines(row: Row, *, courses: bool) -> Iterator[dict[str, Any]]:
    """The row as a line over all courses, followed by one for each of them if `courses` are wanted."""
    whole = _with_texts({name: getattr(row, name) for name in FIELDS})
    yield _in_words(whole)
    if courses:
        common = {name: None if name in _OF_WHOLE_ALONE else value for name, value in whole.items()}
        for course in row.courses:
            yield _in_words(common | _with_texts({name: getattr(course, name) for name in _OF_COURSE}))


def time_text(milliseconds: int | None) -> str | None:
    """A time as ISO 8601 in UTC; None for none."""
    return None if milliseconds is None else timestamp_text(milliseconds)


def _in_words(line: dict[str, Any]) -> dict[str, Any]:
    mastery = line["mastery"]
    return line | {"mastery": None if mastery is None else str(mastery).lower()}


def _with_texts(values: dict[str, Any]) -> dict[str, Any]:
    return {name: time_text(value) if name in _TIMES else value for name, value in values.items()}

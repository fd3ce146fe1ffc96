from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings

from app.agents.publication import Publication
from app.mastery.row import CourseScore, Row
from app.schemas.decoder import AvroDecoder
from app.schemas.encoder import compile_encoder
from tests.mastery.events import HISTORIES, only_row, outcome, result, rows_of
from tests.support.events import CONTRACT

ROWS, COURSES = "outcome_mastery", "course_outcome_mastery"
KEY = b"account-uuid:student:7"
NOW = 1_700_000_000_000

ENCODE = {
    name: compile_encoder(CONTRACT.derived[name].schema, number, plain_times=True).encode
    for number, name in enumerate((ROWS, COURSES))
}
DECODE = AvroDecoder(
    {n: CONTRACT.derived[name].text for n, name in enumerate((ROWS, COURSES))}.__getitem__
).decode
PUBLICATION = Publication(
    row_topic=ROWS, course_topic=COURSES, encode_row=ENCODE[ROWS], encode_course=ENCODE[COURSES]
)


def published(before, after):
    """What a consumer gets, by topic and key; None for a tombstone."""
    found = {}
    for topic, value, key, partition, callback, delivered, timestamp in PUBLICATION.records(
        KEY, before, after, NOW
    ):
        # By key, as every client would place it.
        assert (partition, callback, delivered, timestamp) == (-1, None, None, NOW)
        assert (topic, key) not in found
        found[topic, key] = None if value is None else DECODE(value)
    return found


def plain(value):
    """A value as the Row has it: times in milliseconds."""
    if isinstance(value, datetime):
        return round((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def as_told(row):
    told = msgspec.to_builtins(row)
    names = CourseScore.__struct_fields__
    told["courses"] = [dict(zip(names, msgspec.structs.astuple(one), strict=True)) for one in row.courses]
    return told


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_a_consumer_reads_every_field_of_the_row(history):
    for row in rows_of(history).values():
        found = published(None, row)
        assert plain(found.pop((ROWS, KEY))) == as_told(row)
        assert {key for _, key in found} == {KEY + b":" + one.course_id.encode() for one in row.courses}
        for course in row.courses:
            told = plain(found[COURSES, KEY + b":" + course.course_id.encode()])
            assert {name: told[name] for name in CourseScore.__struct_fields__} == {
                name: getattr(course, name) for name in CourseScore.__struct_fields__
            }
            shared = told.keys() - set(CourseScore.__struct_fields__)
            assert {name: told[name] for name in shared} == {name: getattr(row, name) for name in shared}


def two_courses(**more) -> Row:
    return only_row(
        [
            outcome(),
            result(id="1", result_context_id="565"),
            result(id="2", result_context_id="99", result_context_uuid="course-99", **more),
        ]
    )


def test_courses_that_did_not_change_are_not_told_again():
    before, after = two_courses(score=1.0, percent=None), two_courses(score=2.0, percent=None)
    assert before != after
    assert set(published(before, after)) == {(ROWS, KEY), (COURSES, KEY + b":99")}


@pytest.mark.parametrize("name", ["definition_state", "outcome_title", "last_event_time"])
def test_what_all_courses_share_is_told_for_each(name):
    before = two_courses()
    after = msgspec.structs.replace(before, **{name: 5 if name == "last_event_time" else "another"})
    found = published(before, after)
    assert set(found) == {(ROWS, KEY), (COURSES, KEY + b":99"), (COURSES, KEY + b":565")}


def test_a_course_that_the_row_left_is_deleted():
    before = two_courses()
    after = msgspec.structs.replace(before, courses=before.courses[1:])
    left = before.courses[0].course_id.encode()
    assert published(before, after)[COURSES, KEY + b":" + left] is None


def test_what_is_taken_away_is_taken_away_everywhere():
    found = [
        (topic, key)
        for topic, value, key, *_ in PUBLICATION.tombstones(KEY, two_courses(), NOW)
        if value is None
    ]
    assert sorted(found) == [(COURSES, KEY + b":565"), (COURSES, KEY + b":99"), (ROWS, KEY)]

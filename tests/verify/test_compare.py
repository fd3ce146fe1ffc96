"""What the comparison tells of a row, for every way to spoil what is there of it."""

import msgspec
import pytest

from app.mastery import blob
from app.mastery.resolve import Definition
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.snapshot import ResultSnapshot, RowKey, Work
from app.mastery.versions import Version
from app.partitioner import partition_of
from app.schemas.decoder import AvroDecoder
from app.verify.compare import ABSENT, COURSES, ROWS, STATE, Comparison, FoundRow, row_key
from tests.support.events import CONTRACT

PARTITIONS = 6
KEY = RowKey("account", "student", "7")
RAW = str(KEY).encode()
HOME = partition_of(b"account:student", PARTITIONS)

SCHEMAS = {CONTRACT.derived[name].local_id: CONTRACT.derived[name] for name in (ROWS, COURSES)}
COMPARISON = Comparison(CONTRACT, AvroDecoder(lambda number: SCHEMAS[number].text).decode, PARTITIONS)


def snapshot(number: int, course: str, score: float) -> ResultSnapshot:
    version = Version(False, 0, 1_700_000_000_000 + number, bytes(16))
    work = Work("Submission", str(number), "Assignment", str(number))
    return ResultSnapshot(
        str(number), work, True, score, 5.0, score / 5, 1_700_000_000_000, course, None, version
    )


def made(*snapshots: ResultSnapshot):
    results = Results()
    for one in snapshots:
        results.apply(one)
    return results, roll_up(KEY, results, Definition("Reads", None))


TRUTH = made(snapshot(1, "11", 4.0), snapshot(2, "12", 3.0))


def framed(topic: str, payload: bytes) -> bytes:
    return b"\0" + CONTRACT.derived[topic].local_id.to_bytes(4) + payload


def found(truth=TRUTH, **changes) -> FoundRow:
    rows, courses = {}, {}
    for (topic, key), payload in COMPARISON.published(RAW, truth[1]).items():
        place = {partition_of(key, PARTITIONS): framed(topic, payload)}
        if topic == ROWS:
            rows = place
        else:
            courses[key] = place
    whole = FoundRow(rows, courses, {HOME: blob.encode(*truth)})
    return whole._replace(**changes)


def told(what: FoundRow, truth=TRUTH):
    return [(one.topic, one.field) for one in COMPARISON.with_truth(RAW, truth, HOME, what)]


def test_a_row_that_is_as_it_should_be():
    assert told(found()) == []
    assert list(COMPARISON.with_state(RAW, found())) == []


def test_each_field_that_differs_is_told_with_both_values():
    other = made(snapshot(1, "11", 4.0), snapshot(2, "12", 3.0), snapshot(3, "12", 2.0))
    differences = list(COMPARISON.with_truth(RAW, TRUTH, HOME, found(other)))
    fields = {(one.topic, one.field): (one.found, one.expected) for one in differences}
    assert fields[ROWS, "results_count"] == (3, 2)
    assert fields[ROWS, "courses.12.results_count"] == (2, 1)
    assert fields[COURSES, "results_count"] == (2, 1)
    assert fields[STATE, "results_count"] == (3, 2)
    assert fields[STATE, "results"] == ("3: 0 missing, 1 too many, 0 other versions", "2")
    assert (ROWS, "courses.11.results_count") not in fields


def test_what_is_missing():
    assert told(found(row={})) == [(ROWS, "record")]
    assert told(found(state={})) == [(STATE, "record")]
    assert told(FoundRow({}, {}, {})) == [
        (ROWS, "record"),
        (COURSES, "record"),
        (COURSES, "record"),
        (STATE, "record"),
    ]
    fewer = dict(list(found().courses.items())[1:])
    assert told(found(courses=fewer)) == [(COURSES, "record")]


def test_what_should_not_be_there():
    assert told(found(), None) == [
        (ROWS, "record"),
        (COURSES, "record"),
        (COURSES, "record"),
        (STATE, "record"),
    ]
    extra = RAW + b":99"
    courses = {**found().courses, extra: {partition_of(extra, PARTITIONS): b"x"}}
    [difference] = COMPARISON.with_truth(RAW, TRUTH, HOME, found(courses=courses))
    assert (difference.key, difference.found, difference.expected) == (extra.decode(), "a record", ABSENT)


@pytest.mark.parametrize("what", ["row", "state"])
def test_a_key_in_two_partitions_or_in_a_wrong_one(what):
    there = dict(getattr(found(), what))
    [(home, value)] = there.items()
    stray = (home + 1) % PARTITIONS
    topic = ROWS if what == "row" else STATE
    assert told(found(**{what: {home: value, stray: value}})) == [(topic, "partition")]
    assert told(found(**{what: {stray: value}})) == [(topic, "partition"), (topic, "record")]


@pytest.mark.parametrize("junk", [b"", b"junk", b"\0\0\0\0\1x", b"\1junk"])
def test_what_cannot_be_read_is_a_difference(junk):
    [home] = found().row
    assert told(found(row={home: junk})) == [(ROWS, "value")]
    assert told(found(state={HOME: junk})) == [(STATE, "value")]


def test_other_results_behind_the_same_row():
    # The same numbers from another version of a result: consumers cannot see it, the state can.
    one = TRUTH[0].snapshots[0]
    earlier = msgspec.structs.replace(one, version=Version(False, 0, one.version.event_time - 1, bytes(16)))
    results = Results([earlier, *TRUTH[0].snapshots[1:]])
    assert told(found(state={HOME: blob.encode(results, TRUTH[1])})) == [(STATE, "results")]


def test_published_against_the_state_where_events_are_gone():
    other = made(snapshot(1, "11", 1.0))
    assert list(COMPARISON.with_state(RAW, found(other))) == []
    mixed = found(other)._replace(state=found().state)
    fields = {(one.topic, one.field) for one in COMPARISON.with_state(RAW, mixed)}
    assert (ROWS, "results_count") in fields
    assert {topic for topic, _ in fields} == {ROWS, COURSES}


def test_the_parts_of_a_key():
    assert row_key(RAW) == KEY
    assert row_key(b"-:a:b:7") == RowKey("-", "a:b", "7")

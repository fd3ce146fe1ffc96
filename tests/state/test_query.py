import uuid

import pytest
from confluent_kafka import Producer

from app.kafka import producer_config
from app.partitioner import partition_of
from app.reader import TopicMissing
from app.settings import load_settings
from app.state import query
from app.state.errors import ChangelogUnusable
from app.state.query import all_rows, rows_of_student
from tests.mastery.events import outcome, result, rows_of
from tests.support.changelog import make_changelog, rows_as_stored, write_rows

STUDENTS = [f"student-{number}" for number in range(12)]
EVENTS = [
    outcome(),
    *[
        result(id=str(number), user_uuid=student, learning_outcome_id=outcome_id, score=number % 5)
        for number, student in enumerate(STUDENTS, start=1)
        for outcome_id in ("7", "12", "9")
    ],
    result(id="99", user_uuid=STUDENTS[3], account="elsewhere"),
]
FIRST = [outcome(), *[result(id="1", user_uuid=student, score=0.5) for student in STUDENTS]]


@pytest.fixture(scope="module")
def changelog(broker):
    """One that is only read."""
    prefix = f"t{uuid.uuid4().hex[:12]}."
    return filled(load_settings(broker=broker.bootstrap, topic_prefix=prefix, partitions=4))


@pytest.fixture
def own_changelog(settings):
    """One that a test may write to."""
    return filled(settings)


def filled(settings):
    make_changelog(settings)
    # Twice, as where it is not compacted yet; then one that is deleted, and marks that are no rows.
    write_rows(settings, rows_as_stored(FIRST))
    write_rows(settings, rows_as_stored(EVENTS))
    write_rows(settings, {b"account-uuid:student-1:12": None, b"forgotten/salt": b"\xf1marks"})
    return settings


def left():
    return {key: row for key, row in rows_of(EVENTS).items() if str(key) != "account-uuid:student-1:12"}


def test_all_rows_are_the_last_of_each_key(changelog):
    rows = list(all_rows(changelog))
    assert {stored.key: stored.row for stored in rows} == left()
    assert len(rows) == len(left())
    assert {stored.row for stored in all_rows(changelog, "elsewhere")} == {
        row for key, row in left().items() if key.root_account_uuid == "elsewhere"
    }


def test_a_student_is_found_in_all_accounts_or_in_one(changelog):
    student = STUDENTS[3]
    rows = rows_of_student(changelog, student)
    assert [(row.key.root_account_uuid, row.key.learning_outcome_id) for row in rows] == [
        ("account-uuid", "7"),
        ("account-uuid", "9"),
        ("account-uuid", "12"),
        ("elsewhere", "7"),
    ]
    assert [row.row for row in rows] == [left()[row.key] for row in rows]
    assert [row.key for row in rows_of_student(changelog, student, "elsewhere")] == [rows[-1].key]
    assert rows_of_student(changelog, "student") == []
    assert [row.key.learning_outcome_id for row in rows_of_student(changelog, "student-1")] == ["7", "9"]


def test_with_the_account_one_partition_is_read(changelog, monkeypatch):
    read = []
    reader = query.TopicReader
    monkeypatch.setattr(
        query, "TopicReader", lambda settings, at: read.append(list(at)) or reader(settings, at)
    )
    rows_of_student(changelog, STUDENTS[0], "account-uuid")
    place = partition_of(f"account-uuid:{STUDENTS[0]}".encode(), changelog.partitions)
    assert read == [[(changelog.changelog_topic, place)]]


def test_rows_that_change_while_they_are_read_come_once(own_changelog, monkeypatch):
    later = [outcome(), *[result(id="5", user_uuid=student, score=5.0) for student in STUDENTS]]
    opened = []
    reader = query.TopicReader

    def open_reader(settings, positions):
        opened.append(positions)
        if len(opened) % 2 == 0:
            write_rows(settings, {**rows_as_stored(later), b"account-uuid:student-2:9": None})
        return reader(settings, positions)

    monkeypatch.setattr(query, "TopicReader", open_reader)
    keys = [stored.key for stored in all_rows(own_changelog)]
    assert len(keys) == len(set(keys))
    assert {str(key) for key in keys} >= {str(key) for key in left()} - {"account-uuid:student-2:9"}


def test_what_is_no_row_is_told_without_its_content(own_changelog):
    write_rows(own_changelog, {b"account-uuid:student-1:7": b"\x63secret"})
    with pytest.raises(ChangelogUnusable) as caught:
        rows_of_student(own_changelog, "student-1")
    assert "state of format 99" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "student" not in str(caught.value)


def test_no_changelog(settings):
    with pytest.raises(TopicMissing):
        rows_of_student(settings, "x")


def test_students_are_where_producers_put_them(own_changelog):
    places = {}
    producer = Producer(producer_config(own_changelog))
    keys = [f"account:{student}{'x' * (number % 5)}".encode() for number, student in enumerate(STUDENTS)]
    for key in keys:
        producer.produce(
            own_changelog.changelog_topic,
            b"x",
            key,
            on_delivery=lambda _, m: places.update({m.key(): m.partition()}),
        )
    producer.flush(10)
    assert places == {key: partition_of(key, own_changelog.partitions) for key in keys}

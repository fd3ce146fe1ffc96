from datetime import UTC, datetime
from importlib.resources import files

import msgspec
import pytest
from hypothesis import given, settings

from app.events.decode import EventDecoder
from app.mastery.snapshot import RESULT_FIELDS, RowKey, Unplaced, Work, read_result
from app.mastery.versions import milliseconds
from app.schemas.decoder import compile_decoder
from app.schemas.encoder import compile_encoder
from tests.mastery.events import at, result
from tests.support.events import CONTRACT, MODELS, records

NAMELESS = dict.fromkeys(
    ("artifact_type", "artifact_id", "associated_asset_type", "associated_asset_id"), None
)


def as_consumed(sample):
    """A sample event, as the worker reads it from the typed topic."""
    raw = (files("app.embedded.samples") / f"{sample}.json").read_bytes()
    event = CONTRACT.events[msgspec.json.decode(raw)["metadata"]["event_name"]]
    framed = compile_encoder(event.schema, 1).encode(EventDecoder(CONTRACT, MODELS)(raw))
    return compile_decoder(event.schema)(framed[5:])


RESULT_SCHEMA = CONTRACT.events["learning_outcome_result_updated"].schema
ENCODE_RESULT = compile_encoder(RESULT_SCHEMA, 1).encode
WHOLE = compile_decoder(RESULT_SCHEMA)
IN_PART = compile_decoder(RESULT_SCHEMA, only=RESULT_FIELDS, plain_times=True)


@settings(max_examples=50, deadline=None)
@given(records("learning_outcome_result_updated"))
def test_no_more_fields_are_looked_at_than_it_says(record):
    payload = ENCODE_RESULT(record)[5:]
    a_real_id = {"event_id": "00" * 16}
    assert read_result(IN_PART(payload) | a_real_id) == read_result(WHOLE(payload) | a_real_id)


def test_a_documented_event_of_the_newest_generation():
    key, snapshot = read_result(as_consumed("canvas-docs-learning-learning_outcome_result_updated"))
    assert key == RowKey(
        "VicYj3cu5BIFpoZhDVU4DZumnlBrWi1grgJEzADs", "elXwFPr6uKGaiVxchQSsqV6YZy5HBtlq8O2vqMXM", "1"
    )
    assert str(key).count(":") == 2
    assert (snapshot.id, snapshot.identity) == ("1", "1")
    assert snapshot.work == Work("RubricAssessment", "22", "Assignment", "56")
    assert (snapshot.active, snapshot.counts) == (True, True)
    assert (snapshot.score, snapshot.possible, snapshot.percent) == (5, 5, 1)
    assert snapshot.assessed_at == milliseconds(datetime(2019, 8, 9, 21, 35, 5, tzinfo=UTC))
    assert (snapshot.course_id, snapshot.course_uuid) == ("1", "c3JwFPr6uKGaiVxchQSsqV6YZy5HBtlq8O2vqNNN")
    assert snapshot.version.updated_at == milliseconds(datetime(2019, 11, 1, 0, 21, 24, tzinfo=UTC))


def test_a_documented_event_of_the_oldest_generation_is_of_no_student():
    event = as_consumed("older-docs-learning-learning_outcome_result_created")
    assert read_result(event) is Unplaced.NO_STUDENT


def test_the_middle_generation_is_known_by_its_work():
    _, snapshot = read_result(result(id=None, result_context_id=None, result_context_type=None))
    assert snapshot.id is None
    assert snapshot.identity == snapshot.work == Work("RubricAssessment", "22", "Assignment", "56")
    assert snapshot.course_id is None


def test_neither_id_nor_work_is_no_identity():
    assert read_result(result(id=None, **NAMELESS)) is Unplaced.NO_IDENTITY
    assert not isinstance(read_result(result(**NAMELESS)), Unplaced)


def test_ids_of_the_own_shard_are_local_everywhere():
    shard = "2107000000000"
    spelled = result(
        id=f"{shard}0001",
        learning_outcome_id=f"{shard}0007",
        result_context_id=f"{shard}0565",
        artifact_id=f"{shard}0022",
        associated_asset_id=f"{shard}0056",
        event_id="00" * 16,
    )
    assert read_result(spelled) == read_result(result(event_id="00" * 16))


@pytest.mark.parametrize(
    ("fields", "active", "counts"),
    [
        ({}, True, True),
        ({"workflow_state": None}, True, True),
        ({"workflow_state": "deleted"}, False, False),
        ({"workflow_state": "of the future"}, False, False),
        ({"score": None}, True, False),
        ({"score": float("nan")}, True, False),
        ({"score": 0.0}, True, True),
    ],
)
def test_what_counts(fields, active, counts):
    _, snapshot = read_result(result(**fields))
    assert (snapshot.active, snapshot.counts) == (active, counts)


def test_only_a_course_is_a_course():
    _, snapshot = read_result(result(result_context_type="Account"))
    assert (snapshot.course_id, snapshot.course_uuid) == (None, None)


def test_no_account_is_a_dash_as_in_the_topics_keys():
    key, _ = read_result(result(account=None))
    assert str(key) == "-:student:7"


def test_no_time_of_assessment():
    assert read_result(result(assessed_at=None))[1].assessed_at is None
    assert read_result(result(assessed_at=at(3)))[1].assessed_at == milliseconds(at(3))


RUBRIC = Work("RubricAssessment", "22", "Assignment", "56")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (RUBRIC, True),
        (Work("RubricAssessment", "22", "", ""), True),
        (Work("RubricAssessment", "22", "Assignment", "57"), False),
        (Work("RubricAssessment", "23", "Assignment", "56"), False),
        (Work("Submission", "22", "Assignment", "56"), False),
        (Work("", "", "Assignment", "56"), False),
    ],
)
def test_works_that_may_be_one(other, same):
    assert RUBRIC.may_be(other) is same
    assert other.may_be(RUBRIC) is same


def test_works_without_an_artifact_are_told_apart_by_the_asset():
    assert not Work("", "", "Assignment", "56").may_be(Work("", "", "", ""))
    assert Work("", "", "Assignment", "56").may_be(Work("", "", "Assignment", "56"))


@pytest.mark.parametrize(
    "event",
    [
        result(account="a:b"),
        result(user_uuid="b:c"),
        result(learning_outcome_id="7:8"),
        result(user_uuid=":"),
        result(user_uuid="u" * 2_600),
    ],
)
def test_ids_that_keys_would_confuse_or_topics_not_take_are_in_no_row(event):
    assert read_result(event) is Unplaced.UNFIT_ID

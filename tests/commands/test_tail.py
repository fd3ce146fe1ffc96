import json

import pytest

from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.schemas.contract import load_contract
from app.schemas.encoder import compile_encoder
from app.schemas.models import build_models


@pytest.fixture(scope="module")
def typed():
    """The example of rubric_assessed as a worker writes it."""
    contract = load_contract()
    event = contract.events["rubric_assessed"]
    (raw,) = [sample.raw for sample in sample_events() if sample.event_name == event.name]
    record = EventDecoder(contract, build_models(contract))(raw)
    return compile_encoder(event.schema, event.local_id).encode(record)


def lines(done):
    assert (done.status, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_typed_records_come_decoded(some_topics, mastery, produce, typed):
    topic = some_topics.typed_topic("rubric_assessed")
    produce(topic, [(b"a:20", typed, [])], partition=2, timestamp=1_700_000_000_123)
    for name in (topic, "rubric_assessed"):
        (record,) = lines(mastery("tail", name, "--from-beginning", "--exit"))
        value = record.pop("value")
        assert record == {"partition": 2, "offset": 0, "timestamp": "2023-11-14T22:13:20.123Z", "key": "a:20"}
        assert value["metadata"]["event_time"] == "2023-10-25T19:09:09.137Z"
        assert value["body"]["assessment_type"] == "grading"


def test_any_value_is_shown_and_none_stops_it(some_topics, mastery, produce, typed):
    unknown = b"\x00\x7f\x00\x00\x01\x02"
    half = b'{"half": "\\ud83d", "\\u20ac": 1}'
    values = [b'{"a": [1, 2.5, null]}', b"NaN", b"text", None, b"\xff", half, unknown, typed[:-3]]
    produce(some_topics.raw_topic_name, [(None, value, []) for value in values], partition=0)
    shown = lines(mastery("tail", "live-events", "--from-beginning", "--exit"))
    assert [record["value"] for record in shown[:6]] == [
        {"a": [1, 2.5, None]},
        "NaN",
        "text",
        None,
        {"base64": "/w=="},
        {"half": "\ud83d", "\u20ac": 1},
    ]
    assert [record["offset"] for record in shown] == list(range(8))
    for record in shown[6:]:
        assert "base64" in record["value"]
        assert record["error"]


def test_limit(some_topics, mastery, produce):
    produce(some_topics.raw_topic_name, [(None, b"{}", [])] * 10, partition=0)
    assert len(lines(mastery("tail", "live-events", "--from-beginning", "--limit", 3))) == 3


def test_without_from_beginning_there_is_nothing_old(some_topics, mastery, produce):
    produce(some_topics.raw_topic_name, [(None, b"{}", [])], partition=0)
    assert lines(mastery("tail", "live-events", "--exit")) == []


def test_an_empty_topic_has_an_end_too(some_topics, mastery):
    assert lines(mastery("tail", some_topics.raw_topic_name, "--from-beginning", "--exit")) == []


def test_no_such_topic(some_topics, mastery):
    done = mastery("tail", "rubric_asessed")
    assert done.status == 1
    assert done.err == (
        f"error: the broker at {some_topics.broker} has no topic rubric_asessed\n"
        "  -> did you mean rubric_assessed?\n"
    )


@pytest.mark.kafka
def test_aborted_records_are_not_shown_and_markers_do_not_hold_it_up(some_topics, mastery):
    from confluent_kafka import Producer

    from app.kafka import producer_config

    producer = Producer(producer_config(some_topics, transactional_id=f"{some_topics.group_id}.t"))
    producer.init_transactions(10)
    for value, finish in ((b"1", producer.commit_transaction), (b"2", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(some_topics.raw_topic_name, value, partition=0)
        producer.flush(10)
        finish(10)
    (record,) = lines(mastery("tail", "live-events", "--from-beginning", "--exit"))
    assert record["value"] == 1

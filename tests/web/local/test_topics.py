import asyncio
import json
import struct

import pytest
from confluent_kafka import Producer

from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.kafka import producer_config
from app.schemas.contract import load_contract
from app.schemas.encoder import compile_encoder
from app.schemas.models import build_models
from app.settings import load_settings
from app.topics import TopicAdmin, apply, load_catalogue
from app.web.local.topics import Topics, retention_text
from app.web.problems import NotFound
from app.web.security.viewer import LOCAL, Role, Viewer

EVENT = "learning_outcome_created"
#: An idempotent producer asks for its id first, half a second long.
QUICK = {"enable.idempotence": False}


@pytest.fixture
def made(settings):
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


def send(settings, topic, values, **more):
    producer = Producer(producer_config(settings) | QUICK)
    for number, value in enumerate(values):
        producer.produce(topic, value, b"key", timestamp=number + 1, **more)
    producer.flush(10)


def one(topics, name, viewer=LOCAL):
    return asyncio.run(topics.one(viewer, name))


def framed(schema):
    contract = load_contract()
    raw = next(sample.raw for sample in sample_events() if sample.event_name == schema.name)
    record = EventDecoder(contract, build_models(contract))(raw)
    return compile_encoder(schema.schema, schema.local_id).encode(record)


def test_the_catalogue_with_counts(made):
    send(made, made.raw_topic_name, [b"{}"] * 250, partition=1)
    send(made, made.raw_topic_name, [b"{}"] * 7, partition=1)
    found = asyncio.run(Topics(made, patience=20).all()).topics
    roles = {topic.name.removeprefix(made.topic_prefix): topic.role for topic in found}
    assert found[0].role == "raw"
    assert roles[EVENT] == "typed"
    assert (roles["outcome_mastery"], roles["dead-letter"], roles["schemas"]) == (
        "derived",
        "dead-letter",
        "internal",
    )
    by_name = {topic.name: topic for topic in found}
    assert by_name[made.raw_topic_name].records == 257
    assert by_name[made.typed_topic(EVENT)].records == 0
    assert by_name[made.raw_topic_name].retention == "14 days"
    assert by_name[made.changelog_topic].retention == "compacted"
    assert by_name[made.typed_topic(EVENT)].retention == "for ever"
    assert not any(topic.missing for topic in found)


def test_topics_that_are_not_there_are_said_to_be_missing(settings):
    topics = Topics(settings, patience=20)
    assert all(topic.missing and topic.records is None for topic in asyncio.run(topics.all()).topics)
    assert one(topics, EVENT).records == ()


def test_a_typed_topic_with_its_schema_and_records(made):
    schema = load_contract().events[EVENT]
    good = framed(schema)
    other = load_contract().events["rubric_assessed"]
    send(
        made,
        made.typed_topic(EVENT),
        [good, good[:-3], b"\x00" + struct.pack(">I", 12345) + b"x", framed(other), b"no avro", None],
        partition=0,
    )
    send(made, made.typed_topic(EVENT), [good] * 3, partition=1)
    found = one(Topics(made, patience=20), EVENT)
    assert (found.subject, found.schema_id) == (
        f"{made.topic_prefix}{EVENT}-value",
        schema.local_id,
    )
    assert found.fields[0][:2] == ("event_id", "string")
    assert any(path == "body.rubric_criterion.ratings[].points" for path, _, _ in found.fields)
    assert found.configs["cleanup.policy"] == "delete"
    assert [record.time for record in found.records] == sorted(
        (record.time for record in found.records), reverse=True
    )
    assert len(found.records) == 9
    null, text, of_other, unknown, short, first = (
        record for record in found.records if record.partition == 0
    )
    assert (null.value, null.error) == (None, None)
    assert "not framed" in text.error
    assert (of_other.newest_schema, of_other.error) == (False, None)
    assert of_other.value["metadata"]["event_name"] == "rubric_assessed"
    assert unknown.schema_id == 12345
    assert "12345" in unknown.error
    assert "not a record of the schema" in short.error
    assert (first.error, first.newest_schema, first.key) == (None, True, "key")
    assert first.value["metadata"]["event_name"] == EVENT
    json.dumps(first.value)
    compile(found.sample, "sample", "exec")
    assert made.typed_topic(EVENT) in found.sample


def test_the_newest_of_many_over_all_partitions(made):
    for partition in range(4):
        send(made, made.raw_topic_name, [b"%d" % number for number in range(60)], partition=partition)
    found = one(Topics(made, patience=20), made.raw_topic_name)
    assert [(record.value, record.time) for record in found.records] == [
        (value, (value + 1) / 1000) for value in (59, 59, 59, 59, 58, 58, 58, 58, 57, 57)
    ]
    assert found.records_complete


def test_records_are_for_who_sees_everything(made):
    send(made, made.raw_topic_name, [b"{}"])
    found = one(Topics(made, patience=20), made.raw_topic_name, Viewer("v", Role.VIEWER))
    assert (found.records, found.records_hidden) == ((), True)
    with_pseudonyms = load_settings(**made.model_dump() | {"web_pseudonyms": True})
    assert one(Topics(with_pseudonyms, patience=20), made.raw_topic_name).records_hidden


def test_a_topic_that_is_not_ours(made):
    with pytest.raises(NotFound) as raised:
        one(Topics(made, patience=20), "learning_outcome_craeted")
    assert EVENT in raised.value.hint


def test_every_topic_has_a_sample_that_compiles(settings):
    topics = Topics(settings, patience=20)
    for topic in asyncio.run(topics.all()).topics:
        sample = one(topics, topic.name).sample
        compile(sample, topic.name, "exec")
        assert topic.name in sample


def test_retention_in_words():
    day = 24 * 60 * 60 * 1000
    assert retention_text({"cleanup.policy": "delete", "retention.ms": str(day)}) == "1 day"
    assert retention_text({"cleanup.policy": "delete", "retention.ms": "-1"}) == "for ever"

"""On the broker of the run, and once more on a real Kafka."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import MasteryError
from app.kafka import BrokerUnreachable
from app.schemas.known import KnownSchema
from app.schemas.registry_errors import SchemaModeConflict, SchemasTopicMissing
from app.schemas.schema_topic import SchemaMode, SchemaTopic, SchemaTopicContent
from app.settings import Settings, load_settings
from tests.support.records import create_topic, produce, read_all

ONE = KnownSchema("a-value", 1, 11, '{"type": "string", "doc": "Grüße"}')
TWO = KnownSchema("a-value", 2, 2**31 - 1, '"long"')


@pytest.fixture(autouse=True, params=["any broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def on(request):
    return request.param


@pytest.fixture
def topic(settings) -> SchemaTopic:
    create_topic(settings.broker, settings.schemas_topic, cleanup_policy="compact")
    return SchemaTopic(settings)


def put(settings: Settings, key: bytes | None, value: bytes | None) -> None:
    produce(settings.broker, settings.schemas_topic, [value], key=key)


def test_a_topic_that_is_not_there_is_told_at_once(settings):
    began = time.monotonic()
    with pytest.raises(SchemasTopicMissing, match=settings.schemas_topic) as missing:
        SchemaTopic(settings).read()
    assert "mastery topics apply" in missing.value.hint
    assert time.monotonic() - began < 3


def test_at_first_it_holds_nothing(topic):
    assert topic.read() == SchemaTopicContent(None, ())


def test_what_is_written_is_read(topic):
    topic.write_schemas([ONE])
    topic.write_schemas([TWO])
    assert topic.read() == SchemaTopicContent(None, (ONE, TWO))


def test_records_are_readable_by_anyone(topic, settings):
    topic.write_schemas([ONE])
    topic.claim_mode(SchemaMode.LOCAL)
    schema, mode = read_all(settings.broker, settings.schemas_topic)
    assert schema.key == b"a-value/11"
    assert json.loads(schema.value) == {
        "subject": "a-value",
        "version": 1,
        "id": 11,
        "schemaType": "AVRO",
        "schema": ONE.text,
    }
    assert (mode.key, json.loads(mode.value)) == (b"mode/local", {"mode": "local"})


@pytest.mark.parametrize("mode", list(SchemaMode))
def test_the_mode_is_written_once(topic, settings, mode):
    for _ in range(3):
        assert topic.claim_mode(mode).mode is mode
    assert len(read_all(settings.broker, settings.schemas_topic)) == 1


@pytest.mark.parametrize(
    ("mode", "way_out"),
    [
        (SchemaMode.LOCAL, "unset MASTERY_SCHEMA_REGISTRY_URL"),
        (SchemaMode.REGISTRY, "set MASTERY_SCHEMA_REGISTRY_URL"),
    ],
)
def test_the_other_mode_is_refused_with_the_way_out(topic, settings, mode, way_out):
    (other,) = set(SchemaMode) - {mode}
    topic.claim_mode(mode)
    with pytest.raises(SchemaModeConflict) as conflict:
        topic.claim_mode(other)
    assert conflict.value.hint.startswith(way_out)
    assert "MASTERY_TOPIC_PREFIX" in conflict.value.hint
    assert topic.read().mode is mode
    assert len(read_all(settings.broker, settings.schemas_topic)) == 1


def test_of_two_that_claim_at_once_one_wins_for_good(settings, topic):
    modes = [SchemaMode.LOCAL, SchemaMode.REGISTRY] * 2

    def claim(mode: SchemaMode) -> SchemaMode | None:
        try:
            return SchemaTopic(settings).claim_mode(mode).mode
        except SchemaModeConflict:
            return None

    with ThreadPoolExecutor(len(modes)) as pool:
        won = [mode for mode in pool.map(claim, modes) if mode]
    assert len(set(won)) == 1
    assert topic.read().mode is won[0]
    assert topic.claim_mode(won[0]).mode is won[0]


def test_the_claim_that_came_second_is_taken_back(settings, topic):
    """Both had seen an empty topic: the records lie there as the race leaves them."""
    put(settings, b"mode/registry", b'{"mode": "registry"}')
    put(settings, b"mode/local", b'{"mode": "local"}')
    assert topic.read().mode is SchemaMode.REGISTRY
    put(settings, b"mode/registry", None)
    assert topic.read().mode is SchemaMode.LOCAL
    put(settings, b"mode/registry", b'{"mode": "registry"}')
    assert topic.read().mode is SchemaMode.LOCAL


@pytest.mark.parametrize(
    "record",
    [
        (b"\xff\xfe", b"x"),
        (b"a-value/1", b"no JSON"),
        (b"a-value/1", b"{}"),
        (b"a-value/1", b"[]"),
        (b"a-value/1", b'{"subject": "a-value", "version": 1, "id": "11", "schema": "{}"}'),
        (b"a-value/1", b'{"subject": "a-value", "version": 1, "id": 11, "schema": "{"}'),
        (b"mode/other", b"{}"),
    ],
)
def test_what_somebody_else_wrote_there_is_passed_over(settings, topic, record):
    put(settings, *record)
    topic.write_schemas([ONE])
    assert topic.read() == SchemaTopicContent(None, (ONE,))


def test_a_deleted_schema_is_gone(settings, topic):
    topic.write_schemas([ONE, TWO])
    put(settings, b"a-value/11", None)
    assert topic.read().schemas == (TWO,)


def test_no_broker_is_one_line_within_seconds(tmp_path):
    topic = SchemaTopic(load_settings(broker="127.0.0.1:1", state_dir=tmp_path), timeout=1.0)
    for call in (topic.read, lambda: topic.write_schemas([ONE])):
        began = time.monotonic()
        with pytest.raises(BrokerUnreachable) as refused:
            call()
        assert time.monotonic() - began < 4
        assert isinstance(refused.value, MasteryError)
        assert "127.0.0.1:1" in str(refused.value)

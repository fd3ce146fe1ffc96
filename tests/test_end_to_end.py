"""The product as its user runs it: topics made, a worker, raw bytes in, typed records out."""

import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from app.deadletter import parse_headers
from app.embedded.samples import Sample, sample_events
from app.schemas.contract import load_contract
from app.settings import Settings
from tests.support.records import Record, produce, read_all
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, WorkerProcess, command_environment

CONTRACT = load_contract()


def mastery(settings: Settings, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=command_environment(settings, **variables),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    made = mastery(settings, "topics", "apply")
    assert made.returncode == 0, made.stderr
    with WorkerProcess(settings, tmp_path) as running:
        running.wait_ready()
        yield running


def typed_topics(settings: Settings) -> list[str]:
    return [settings.typed_topic(name) for name in CONTRACT.events]


def outputs(settings: Settings, wanted: int) -> list[Record]:
    """Wait for that many typed records and dead letters; return them all."""
    topics = [*typed_topics(settings), settings.dead_letter_topic]
    found: list[Record] = []

    def arrived() -> bool:
        found[:] = read_all(settings.broker, topics)
        return len(found) >= wanted

    wait_until(arrived, timeout=30, what=f"{wanted} records", detail=lambda: f"{len(found)} arrived")
    return found


def decoded(settings: Settings, record: Record) -> dict[str, Any]:
    """Decode as somebody would who has only the `.avsc` files and fastavro."""
    event = CONTRACT.events[record.topic.removeprefix(settings.topic_prefix)]
    body = io.BytesIO((record.value or b"")[5:])
    value = fastavro.schemaless_reader(body, fastavro.parse_schema(event.schema))
    assert not body.read()
    assert isinstance(value, dict)
    return value


def assert_same(typed: Any, raw: Any, path: str) -> None:
    """Compare a decoded value with the JSON it came from: what JSON has, Avro has, and nothing else."""
    if isinstance(typed, dict):
        assert isinstance(raw, dict), path
        assert not raw.keys() - typed.keys(), f"{path} lost {raw.keys() - typed.keys()}"
        for name, value in typed.items():
            assert_same(value, raw.get(name), f"{path}.{name}")
    elif isinstance(typed, list):
        assert len(typed) == len(raw), path
        for index, value in enumerate(typed):
            assert_same(value, raw[index], f"{path}[{index}]")
    elif isinstance(typed, datetime):
        assert typed == datetime.fromisoformat(raw), path
    else:
        assert typed == (None if raw == "" and path.startswith("metadata.") else raw), path
        assert isinstance(typed, bool) == isinstance(raw, bool), path


def expected_key(sample: Sample) -> str:
    """Say the rule of the keys once more, in words of its own."""
    event = json.loads(sample.raw)
    account, body = event["metadata"].get("root_account_uuid") or "-", event["body"]
    match sample.event_name.removesuffix("_created").removesuffix("_updated"):
        case "learning_outcome_result" if body.get("user_uuid"):
            return f"{account}:{body['user_uuid']}"
        case "learning_outcome_result":
            return f"{account}::{body['learning_outcome_id']}"
        case "outcomes.retry_outcome_alignment_clone":
            return f"{account}:{body['new_assignment_resource_link_id']}"
        case "rubric_assessed":
            return f"{account}:{body['id']}"
        case name:
            return f"{account}:{body[f'{name}_id']}"


def test_every_documented_example_comes_out_typed(settings: Settings, worker: WorkerProcess) -> None:
    samples = sample_events()
    produce(settings.broker, settings.raw_topic_name, [sample.raw for sample in samples])
    records = outputs(settings, len(samples))

    assert Counter(record.topic for record in records) == Counter(
        settings.typed_topic(sample.event_name) for sample in samples
    ), worker.log
    by_event_id = {sha256(sample.raw).digest()[:16].hex(): sample for sample in samples}
    seen = set()
    for record in records:
        value = decoded(settings, record)
        sample = by_event_id[value["event_id"]]
        seen.add(sample.name)
        raw = json.loads(sample.raw)
        assert_same(value["metadata"], raw["metadata"], "metadata")
        assert_same(value["body"], raw["body"], "body")
        assert record.key is not None
        assert record.key.decode() == expected_key(sample)
    assert {sample.event_name for sample in samples} == CONTRACT.events.keys()
    assert len(seen) == len(by_event_id)


def test_a_stock_deserializer_decodes_every_topic_from_the_worker(
    settings: Settings, worker: WorkerProcess
) -> None:
    samples = sample_events()
    produce(settings.broker, settings.raw_topic_name, [sample.raw for sample in samples])
    with SchemaRegistryClient({"url": f"{worker.url}/registry"}) as client:
        decode = AvroDeserializer(client)
        for record in outputs(settings, len(samples)):
            value = decode(record.value, SerializationContext(record.topic, MessageField.VALUE))
            assert value is not None
            assert value["metadata"]["event_name"] == record.topic.removeprefix(settings.topic_prefix)


def test_broken_records_do_not_disturb_their_neighbours(settings: Settings, worker: WorkerProcess) -> None:
    good = [sample.raw for sample in sample_events()]
    broken: list[bytes | None] = [
        None,
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"metadata":{"event_name":"no_such_event"},"body":{}}',
        b'{"metadata":{"event_name":"learning_outcome_created","event_time":"2024-01-01T00:00:00Z"},"body":{}}',
    ]
    mixed = [value for pair in zip(good, broken * 3, strict=False) for value in pair]
    produce(settings.broker, settings.raw_topic_name, mixed, key=b"a key", headers=[("origin", b"x")])
    records = outputs(settings, len(mixed))
    typed = [record for record in records if record.topic != settings.dead_letter_topic]
    dead = [record for record in records if record.topic == settings.dead_letter_topic]
    assert len(typed) == len(good)
    assert Counter(record.value for record in dead) == Counter(value for value in mixed if value not in good)
    for record in dead:
        letter = parse_headers(record.headers)
        assert letter is not None
        assert record.key == b"a key"
        assert letter.original == [("origin", b"x")]
        assert letter.topic == settings.raw_topic_name
    assert worker.running


def test_a_worker_that_is_told_to_stop_commits_and_exits_0(settings: Settings, worker: WorkerProcess) -> None:
    samples = sample_events()
    produce(settings.broker, settings.raw_topic_name, [sample.raw for sample in samples])
    worker.terminate()
    assert worker.wait() == 0, worker.log
    worker.start()
    worker.wait_ready()
    assert len(outputs(settings, len(samples))) == len(samples)
    idle = mastery(settings, "status", "--wait-idle", "20")
    assert idle.returncode == 0, idle.stderr
    assert len(outputs(settings, len(samples))) == len(samples)

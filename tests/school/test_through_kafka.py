"""A school through a real Kafka and a real worker: each record comes out once, where the truth says."""

import json
from collections import Counter
from hashlib import sha256
from typing import Any

import pytest

from app.deadletter import parse_headers
from app.schemas.decoder import compile_decoder
from tests.school.test_truth import plain
from tests.support.events import CONTRACT
from tests.support.records import Record, read_all
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess
from tests.test_end_to_end import mastery, typed_topics

DECODE = {name: compile_decoder(event.schema) for name, event in CONTRACT.events.items()}
SHOWN = ("to", "event", "key", "event_id", "kind", "path", "metadata", "body")


def wanted(line: dict[str, Any]) -> str:
    return json.dumps([line.get(name) for name in SHOWN], sort_keys=True)


def came(settings: Any, record: Record) -> str:
    if record.topic == settings.dead_letter_topic:
        why = parse_headers(record.headers)
        event_id = None if record.value is None else sha256(record.value).hexdigest()[:32]
        line = {"to": "dead-letter", "kind": why.kind, "path": why.message.partition(" at ")[2]}
        return wanted(line | {"event_id": event_id})
    name = record.topic.removeprefix(settings.topic_prefix)
    value = plain(DECODE[name](record.value[5:]))
    return wanted({"to": "typed", "event": name, "key": record.key.decode(), **value})


@pytest.mark.kafka
def test_each_record_comes_out_once_where_the_truth_says(settings, tmp_path):
    truth = tmp_path / "truth.jsonl"
    size = ("--events", "4000", "--bad-share", "0.03")
    made = mastery(settings, "topics", "apply")
    assert made.returncode == 0, made.stderr
    sent = mastery(settings, "generate", *size, "--send", "--truth", str(truth))
    assert sent.returncode == 0, sent.stderr
    with WorkerProcess(settings, tmp_path) as worker:
        worker.wait_ready()
        idle = mastery(settings, "status", "--wait-idle", "40")
        assert idle.returncode == 0, idle.stderr + worker.log
        lines = [
            line for line in map(json.loads, truth.read_bytes().splitlines()) if line["type"] == "record"
        ]
        expected = Counter(wanted(line) for line in lines if line["to"] != "ignored")
        topics = [*typed_topics(settings), settings.dead_letter_topic]
        found: list[Record] = []

        def arrived() -> bool:
            # A transaction is committed before its markers are written.
            found[:] = read_all(settings.broker, topics)
            return len(found) >= expected.total()

        wait_until(arrived, timeout=20, what=f"{expected.total()} records", detail=lambda: str(len(found)))
    assert Counter(came(settings, record) for record in found) == expected

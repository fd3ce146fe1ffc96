"""Hostile input through the router: one fate each, the right record, and nothing of it in any message."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import fastavro
from hypothesis import strategies as st

from app.events.errors import ErrorKind
from app.events.names import DOCUMENTED_EVENTS
from app.settings import load_settings
from app.stream.batch import Output, RecordBatch
from app.worker import build_router
from tests.chaos.fuzz_inputs import HEADERS, KEYS, TIMESTAMPS, hostile_events, hostile_values
from tests.chaos.fuzz_oracle import TOO_DEEP, assert_same_event, expected_key, parse
from tests.chaos.fuzz_rounds import fuzz
from tests.stream.fakes import FakeRecord, assignment_of
from tests.support.events import CONTRACT

IDS = SimpleNamespace(by_name={name: event.local_id for name, event in CONTRACT.events.items()})
PARSED = {name: fastavro.parse_schema(event.schema) for name, event in CONTRACT.events.items()}
ROUTER = build_router(load_settings(), CONTRACT, IDS)
UNPACKING = build_router(load_settings(raw_envelope="auto,jwt"), CONTRACT, IDS)
NOW = 1_800_000_000_000
ROUTER._clock = lambda: NOW * 1_000_000

#: All that a dead letter's message may consist of.
FIELD_NAMES = {"metadata", "body", "extra"} | {
    name for event in CONTRACT.events.values() for name in re.findall(r'"name":\s*"(\w+)"', event.text)
}
PATH = re.compile(r"\w+(\[\d+\])?(\.\w+(\[\d+\])?)*", re.ASCII)
IN_ENVELOPE = re.compile(
    r"in-envelope: ([a-z-]+(?:,[a-z-]+)*) \(MASTERY_RAW_ENVELOPE=\1 takes it out"
    r"(?: without checking who signed it)?\)"
)
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

records = st.builds(
    FakeRecord,
    offset=st.just(0),
    timestamp=TIMESTAMPS,
    key=KEYS,
    value=hostile_values,
    headers=HEADERS,
)


def route(*given: FakeRecord) -> Output:
    return ROUTER(RecordBatch("raw", 3, 0, len(given), given, assignment_of(1)))


@contextmanager
def no_log_lines() -> Iterator[None]:
    """Fail if anything is logged, whoever does it."""
    lines: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = lines.append
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert not [line for line in lines if not line.name.startswith("hypothesis")]


def decoded(name: str, encoded: bytes) -> dict[str, Any]:
    """Decode as somebody would who has only the schema and fastavro."""
    assert encoded[:5] == b"\0" + IDS.by_name[name].to_bytes(4, "big")
    body = io.BytesIO(encoded[5:])
    value = fastavro.schemaless_reader(body, PARSED[name], None)
    assert not body.read()
    return value


def assert_typed(typed: Any, record: FakeRecord) -> None:
    topic, encoded, key, _, _, _, timestamp = typed
    name = topic.removeprefix("canvas.")
    found = decoded(name, encoded)
    assert found["event_id"] == sha256(record.value).hexdigest()[:32]
    assert found["metadata"]["event_name"] == name
    assert key == expected_key(found, name)
    assert timestamp == kept_timestamp(record)
    event = parse(record.value)
    if event is not TOO_DEEP:
        assert_same_event(found, name, event)


def kept_timestamp(record: FakeRecord) -> int:
    given = record.timestamp
    return NOW if given is None or not 0 <= given <= NOW else max(given, 1)


def assert_dead(dead: Any, record: FakeRecord) -> None:
    _, value, key, _, _, _, timestamp, headers = dead
    assert (value, key, timestamp) == (record.value, record.key, kept_timestamp(record))
    count = len(record.headers)
    assert headers[:count] == [(name.replace("\0", r"\x00"), item) for name, item in record.headers]
    ours = dict(headers[count:])
    assert len(ours) == len(headers) - count
    kind = ours.pop("mastery.error.kind").decode()
    message = ours.pop("__streams.errors.message").decode()
    assert ours == {
        "__streams.errors.exception": b"EventRefused",
        "__streams.errors.topic": b"raw",
        "__streams.errors.partition": b"3",
        "__streams.errors.offset": b"0",
    }
    ErrorKind(kind)
    if kind == "in-envelope":
        assert IN_ENVELOPE.fullmatch(message)
        assert_in_envelope(record.value)
    elif message != kind:
        said, _, path = message.partition(" at ")
        assert said == kind
        assert PATH.fullmatch(path)
        assert set(re.findall(r"[a-z_]+", path)) <= FIELD_NAMES
    assert_rightly_refused(kind, record.value)


def assert_in_envelope(value: bytes | None) -> None:
    """What is refused as packed says more when it is unpacked: events, or another refusal."""
    output = UNPACKING(RecordBatch("raw", 3, 0, 1, [FakeRecord(0, value=value)], assignment_of(1)))
    assert "in-envelope" not in output.dead_letters
    assert output.typed or output.ignored or output.dead


def assert_rightly_refused(kind: str, value: bytes | None) -> None:
    if kind == "not-utf8":
        assert value is not None
        assert value.decode(errors="ignore").encode() != value
    elif kind == "not-json":
        assert value is not None
        try:
            event = parse(value)
        except ValueError:
            return
        nested = value.count(b"[") + value.count(b"{") > 300
        assert event is TOO_DEEP or nested or SURROGATE.search(value)


def assert_ignored(name: str, value: bytes) -> None:
    assert name in DOCUMENTED_EVENTS
    # Nobody reads it, so text that is not UTF-8 is no matter.
    event = parse(value.decode(errors="replace").encode())
    if event is not TOO_DEEP:
        metadata = event["metadata"] if event.get("metadata") is not None else event["attributes"]
        assert metadata["event_name"] == name


def assert_one_right_fate(record: FakeRecord) -> None:
    with no_log_lines():
        output = route(record)
    assert len(output.typed) + len(output.dead) + output.ignored.total() == 1
    assert output.events.total() == len(output.typed)
    assert output.dead_letters.total() == len(output.dead)
    for typed in output.typed:
        assert_typed(typed, record)
    for dead in output.dead:
        assert_dead(dead, record)
    for name in output.ignored:
        assert_ignored(name, record.value or b"")


@fuzz(records, examples=400)
def test_whatever_comes_has_one_fate_and_the_right_one(record: FakeRecord) -> None:
    assert_one_right_fate(record)


@fuzz(hostile_events(), examples=400)
def test_what_is_typed_says_what_the_json_says(value: bytes) -> None:
    assert_one_right_fate(FakeRecord(0, value=value))


@fuzz(st.lists(records, max_size=6), examples=40)
def test_neighbours_do_not_touch_each_other(given: list[FakeRecord]) -> None:
    together, alone = route(*given), [route(record) for record in given]
    assert together.typed == [typed for output in alone for typed in output.typed]
    assert [dead[:7] for dead in together.dead] == [dead[:7] for output in alone for dead in output.dead]
    assert together.ignored.total() == sum(output.ignored.total() for output in alone)

import io
import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agents.router import Router, add_router
from app.deadletter import parse_headers
from app.embedded.samples import Sample, sample_events
from app.settings import load_settings
from app.stream.application import StreamApp
from app.stream.batch import Output, RecordBatch
from app.stream.progress import Progress
from app.worker import build_router
from tests.stream.fakes import FakeRecord, assignment_of
from tests.support.events import CONTRACT, EVENT_NAMES, wire_events
from tests.support.mock_cluster import MockCluster

IDS = SimpleNamespace(by_name={name: event.local_id for name, event in CONTRACT.events.items()})
PARSED = {name: fastavro.parse_schema(event.schema) for name, event in CONTRACT.events.items()}
SAMPLES = sample_events()
DEAD = "canvas.dead-letter"
OFFSET = 40
RECEIVED = 1_700_000_000_000


def route(*records: FakeRecord, router: Router | None = None, **settings: Any) -> Output:
    made = router or build_router(load_settings(**settings), CONTRACT, IDS)
    return made(
        RecordBatch("canvas.live-events", 3, OFFSET, OFFSET + len(records), records, assignment_of(1))
    )


def raw(value: bytes | None, **fields: Any) -> FakeRecord:
    return FakeRecord(**{"offset": OFFSET, "value": value, "timestamp": RECEIVED, "key": b"raw key"} | fields)


def decoded(topic: str, encoded: bytes) -> dict[str, Any]:
    """Decode as somebody would who has only the schema and fastavro."""
    name = topic.removeprefix("canvas.")
    assert encoded[0] == 0
    assert int.from_bytes(encoded[1:5]) == IDS.by_name[name]
    body = io.BytesIO(encoded[5:])
    value = fastavro.schemaless_reader(body, PARSED[name], None)
    assert not body.read()
    return value


def assert_holds(typed: Any, source: Any, path: str) -> None:
    """Compare with the JSON that it was made of; `""` in metadata is null, and so is what is missing."""
    if isinstance(typed, dict):
        assert source.keys() <= typed.keys(), path
        for name, value in typed.items():
            assert_holds(value, source.get(name), f"{path}.{name}")
    elif isinstance(typed, list):
        assert len(typed) == len(source), path
        for index, value in enumerate(typed):
            assert_holds(value, source[index], f"{path}[{index}]")
    elif isinstance(typed, datetime):
        assert typed == datetime.fromisoformat(source), path
    else:
        assert typed == (source or None if path.startswith("metadata") else source), path


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.name for sample in SAMPLES])
def test_an_example_becomes_a_typed_record(sample: Sample) -> None:
    output = route(raw(sample.raw))
    ((topic, encoded, key, partition, *_, timestamp),) = output.typed
    value, source = decoded(topic, encoded), json.loads(sample.raw)
    assert topic == f"canvas.{sample.event_name}"
    assert value["event_id"] == sha256(sample.raw).hexdigest()[:32]
    assert_holds(value["metadata"], source["metadata"], "metadata")
    assert_holds(value["body"], source["body"], "body")
    assert key.decode().startswith(f"{source['metadata'].get('root_account_uuid') or '-'}:")
    assert (partition, timestamp) == (-1, RECEIVED)
    assert (output.dead, output.ignored, output.events) == ([], {}, {sample.event_name: 1})


def test_results_of_one_user_have_one_key() -> None:
    keys = {
        key
        for sample in SAMPLES
        if sample.event_name.startswith("learning_outcome_result")
        for _, _, key, *_ in route(raw(sample.raw)).typed
    }
    users = {json.loads(sample.raw)["body"].get("user_uuid") for sample in SAMPLES} - {None}
    assert any(key.decode().endswith(f":{user}") for key in keys for user in users)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (RECEIVED - 1, RECEIVED - 1),
        (RECEIVED, RECEIVED),
        (RECEIVED + 1, RECEIVED),
        (2**62, RECEIVED),
        # librdkafka takes 0 for "now".
        (0, 1),
        (1, 1),
        (-1, RECEIVED),
        (-5, RECEIVED),
        (None, RECEIVED),
    ],
)
@pytest.mark.parametrize("value", [SAMPLES[0].raw, b"broken"], ids=["typed", "dead"])
def test_a_timestamp_is_the_raw_one_but_never_ahead(
    value: bytes, received: int | None, expected: int
) -> None:
    router = build_router(load_settings(), CONTRACT, IDS)
    router._clock = lambda: RECEIVED * 1_000_000 + 999_999
    output = route(raw(value, timestamp=received), router=router)
    assert [record[6] for record in [*output.typed, *output.dead]] == [expected]


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{", b"[]", b"{}", b"[" * 100_000])
def test_a_dead_letter_is_the_raw_record_with_a_reason(value: bytes | None) -> None:
    headers = (("origin", b"somewhere"), ("empty", None), ("origin", b"twice"), ("\u00e9", b"\xff"))
    output = route(raw(value, headers=headers, offset=77))
    ((topic, dead_value, key, partition, _, _, timestamp, dead_headers),) = output.dead
    assert (topic, dead_value, key, partition, timestamp) == (DEAD, value, b"raw key", -1, RECEIVED)
    letter = parse_headers(dead_headers)
    assert letter is not None
    assert (letter.topic, letter.partition, letter.offset) == ("canvas.live-events", 3, 77)
    assert letter.original == list(headers)
    assert output.dead_letters == {letter.kind: 1}
    assert (output.typed, output.events, output.ignored) == ([], {}, {})


def test_a_dead_letter_tells_the_place_and_nothing_personal() -> None:
    event = json.loads(SAMPLES[0].raw)
    event["metadata"]["event_time"] = "Jane Doe's birthday"
    output = route(raw(json.dumps(event).encode()))
    letter = parse_headers(output.dead[0][7])
    assert letter is not None
    assert (letter.kind, letter.message) == ("invalid-time", "invalid-time at metadata.event_time")
    assert b"Jane" not in b"".join(value or b"" for _, value in output.dead[0][7])


def test_a_time_that_no_consumer_knows_is_refused() -> None:
    event = json.loads(SAMPLES[0].raw)
    event["metadata"]["event_time"] = "0001-01-01T00:00:00+14:00"
    output = route(raw(json.dumps(event).encode()))
    assert output.dead_letters == {"out-of-range": 1}
    assert b"metadata.event_time" in dict(output.dead[0][7])["__streams.errors.message"]


@pytest.mark.parametrize("over", [False, True])
def test_what_is_too_large_for_its_topic_is_a_dead_letter(over: bool) -> None:
    limit = 16_384
    small = dict(json.loads(SAMPLES[0].raw))
    small["body"] = small["body"] | {"title": "x" * 10_000}
    ((_, encoded, key, *_),) = route(raw(json.dumps(small).encode())).typed
    room = limit - 128 - len(encoded) - len(key)
    small["body"]["title"] += "x" * (room + over)
    value = json.dumps(small).encode()
    output = route(raw(value), max_message_bytes=limit)
    assert len(output.typed) == (not over)
    assert [(record[1], output.dead_letters) for record in output.dead] == (
        [(value, {"too-large": 1})] if over else []
    )


def test_other_events_of_canvas_are_counted_by_name() -> None:
    value = b'{"metadata":{"event_name":"logged_in","event_time":"2024-01-01T00:00:00Z"},"body":{}}'
    output = route(raw(value), raw(value))
    assert output == Output(ignored={"logged_in": 2})
    assert route(raw(value), other_events="dead-letter").dead_letters == {"ignored-event": 1}


def test_personal_data_can_be_left_out() -> None:
    keep, drop = (build_router(load_settings(pii=pii), CONTRACT, IDS) for pii in ("keep", "drop"))
    for sample in SAMPLES:
        values = []
        for router in (keep, drop):
            ((topic, encoded, *_),) = route(raw(sample.raw), router=router).typed
            values.append(decoded(topic, encoded))
        kept, dropped = values
        for part in ("metadata", "body"):
            personal = personal_fields(sample.event_name, part)
            assert all(dropped[part][name] is None for name in personal)
            assert kept[part] | dict.fromkeys(personal) == dropped[part]


def personal_fields(event_name: str, part: str) -> list[str]:
    (field,) = (field for field in CONTRACT.events[event_name].schema["fields"] if field["name"] == part)
    return [inner["name"] for inner in field["type"]["fields"] if inner.get("mastery.pii")]


def test_personal_fields_are_marked_at_all() -> None:
    assert {"user_login", "client_ip"} <= set(personal_fields("learning_outcome_result_created", "metadata"))
    assert "title" in personal_fields("learning_outcome_result_created", "body")


def test_records_keep_their_order() -> None:
    records = [raw(sample.raw, offset=OFFSET + number) for number, sample in enumerate(SAMPLES)]
    output = route(*records)
    assert [topic for topic, *_ in output.typed] == [f"canvas.{sample.event_name}" for sample in SAMPLES]


def test_librdkafka_takes_whatever_comes_out(mastery_output: Callable[[Output], None]) -> None:
    headers = (("", b""), ("none", None), ("a\u00e9", b"\xff\x00"))
    values = [sample.raw for sample in SAMPLES] + [None, b"", b"broken", b"\x00" * 1000]
    keys = [None, b"", b"\x00", b"key"]
    records = [
        raw(value, key=keys[number % 4], headers=headers, timestamp=[0, -1, None, 5][number % 4])
        for number, value in enumerate(values)
    ]
    mastery_output(route(*records))


@pytest.fixture
def mastery_output() -> Any:
    """Write an output to a broker."""
    from app.stream.group_metadata import encode_group_metadata
    from app.stream.producer import TransactionalProducer

    def write(output: Output) -> None:
        with MockCluster() as cluster:
            for topic in ["in", DEAD, *(f"canvas.{name}" for name in EVENT_NAMES)]:
                cluster.create_topic(topic)
            producer = TransactionalProducer(
                {"bootstrap.servers": cluster.bootstrap, "log_level": 0}, "id", max_message_bytes=1 << 21
            )
            producer.init()
            producer.begin()
            producer.produce(output)
            producer.commit({("in", 0): 1}, encode_group_metadata("group", 1, "member"))

    return write


ROUTER = build_router(load_settings(), CONTRACT, IDS)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def damaged_samples(draw: st.DrawFn) -> bytes:
    """An example with some bytes cut out and others put in."""
    value = draw(st.sampled_from(SAMPLES)).raw
    start = draw(st.integers(0, len(value)))
    end = min(len(value), start + draw(st.integers(0, 40)))
    return value[:start] + draw(st.binary(max_size=20) | st.sampled_from(JSON_PIECES)) + value[end:]


JSON_PIECES = [
    b"null",
    b"1e999",
    b"-0",
    b'"\\ud800"',
    b'"',
    b"{",
    b"}",
    b"[[[[",
    b"NaN",
    b"9" * 400,
    b"\\u0000",
]


@st.composite
def events_with_a_wrong_value(draw: st.DrawFn) -> bytes:
    """An example with one field replaced by any JSON."""
    event = json.loads(draw(st.sampled_from(SAMPLES)).raw)
    part = event[draw(st.sampled_from(["metadata", "body"]))]
    part[draw(st.sampled_from(sorted(part)) | st.text())] = draw(json_values)
    return json.dumps(event).encode()


@given(
    st.none()
    | st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | damaged_samples()
    | events_with_a_wrong_value()
    | st.sampled_from(EVENT_NAMES).flatmap(wire_events).map(lambda event: json.dumps(event).encode())
)
def test_any_bytes_have_exactly_one_fate(value: bytes | None) -> None:
    output = route(raw(value), router=ROUTER)
    assert len(output.typed) + len(output.dead) + output.ignored.total() == 1
    assert output.events.total() == len(output.typed)
    assert output.dead_letters.total() == len(output.dead)
    for topic, encoded, key, *_ in output.typed:
        decoded(topic, encoded)
        assert key
    for _, dead_value, *_ in output.dead:
        assert dead_value == value


def test_the_agent_reads_the_raw_topic_one_batch_at_a_time() -> None:
    app = StreamApp(
        "group",
        progress=Progress(),
        prepare=SimpleNamespace,
        checkpoint_interval=0.025,
        options={"broker": "kafka://127.0.0.1:1"},
    )
    add_router(app, "canvas.live-events", lambda: ROUTER)
    (agent,) = app.agents.values()
    assert (agent.name, agent.concurrency) == ("router", 1)
    assert list(agent.get_topic_names()) == ["canvas.live-events"]


def test_the_newest_time_of_each_event_and_root_account_is_told() -> None:
    def event(name: str, account: str | None, time: str) -> FakeRecord:
        (sample, *_) = (sample for sample in SAMPLES if sample.event_name == name)
        value = json.loads(sample.raw)
        value["metadata"] |= {"event_time": time, "root_account_uuid": account}
        return raw(json.dumps(value).encode())

    first, second = "rubric_assessed", "learning_outcome_created"
    output = route(
        event(first, "a", "2026-01-02T00:00:00Z"),
        event(first, "a", "2026-01-03T00:00:00+02:00"),
        event(first, "a", "2026-01-01T00:00:00Z"),
        event(first, None, "2026-01-01T00:00:00Z"),
        event(second, "a", "2025-01-01T00:00:00Z"),
        raw(b"broken"),
    )
    assert output.newest == {
        (first, "a"): datetime.fromisoformat("2026-01-02T22:00:00Z"),
        (first, None): datetime.fromisoformat("2026-01-01T00:00:00Z"),
        (second, "a"): datetime.fromisoformat("2025-01-01T00:00:00Z"),
    }
    assert (output.events, output.dead_letters) == ({first: 4, second: 1}, {"not-json": 1})

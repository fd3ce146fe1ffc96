"""Raw values become records, or are refused with kind and place; nothing else can happen."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.embedded.samples import Sample, sample_events
from app.events.decode import EventDecoder
from app.events.errors import ErrorKind, EventIgnored, EventRefused
from app.events.names import DOCUMENTED_EVENTS
from app.events.parse import parse_json
from app.events.tolerant import TolerantReader
from app.schemas.encoder import TimestampRangeError, compile_encoder, is_plain_ascii
from tests.support.events import CONTRACT, EVENT_NAMES, MODELS, SHAPES, as_dict, wire_events

SAMPLES = sample_events()
DECODER = EventDecoder(CONTRACT, MODELS)
READERS = {name: TolerantReader(SHAPES[name], MODELS[name]) for name in EVENT_NAMES}
ENCODERS = {name: compile_encoder(event.schema, 1) for name, event in CONTRACT.events.items()}

RESULT = "learning_outcome_result_created"
OUTCOME = "learning_outcome_created"
PROFICIENCY = "outcome_proficiency_created"
RUBRIC = "rubric_assessed"
NEWEST = {sample.event_name: json.loads(sample.raw) for sample in SAMPLES if "older" not in sample.name}


def event(event_name: str = RESULT) -> Any:
    return json.loads(json.dumps(NEWEST[event_name]))


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def changed(part: str, of: str = RESULT, /, **fields: Any) -> bytes:
    made = event(of)
    made[part] |= fields
    return raw(made)


def without(part: str, field: str, event_name: str = RESULT) -> bytes:
    made = event(event_name)
    del made[part][field]
    return raw(made)


def refusal(value: bytes | None, decoder: EventDecoder = DECODER) -> tuple[str, str]:
    with pytest.raises(EventRefused) as caught:
        decoder(value)
    return caught.value.kind.value, caught.value.path


def tolerantly(value: bytes) -> Any:
    made = parse_json(value)
    record = READERS[(made.get("metadata") or made["attributes"])["event_name"]](made)
    record.event_id = sha256(value).hexdigest()[:32]
    return record


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_documented_example_is_taken_whole(sample: Sample) -> None:
    record = DECODER(sample.raw)
    assert type(record) is MODELS[sample.event_name]
    assert record.event_id == sha256(sample.raw).hexdigest()[:32]
    assert record.metadata.extra is record.body.extra is None
    assert_same(as_dict(record)["body"], json.loads(sample.raw)["body"])
    metadata = {name: value for name, value in json.loads(sample.raw)["metadata"].items() if value != ""}
    assert_same(as_dict(record)["metadata"], metadata)


def assert_same(found: Any, given: Any) -> None:
    if isinstance(given, dict):
        for name, value in given.items():
            assert_same(found[name], value)
        assert all(value is None for name, value in found.items() if name not in given)
    elif isinstance(given, list):
        for one, other in zip(found, given, strict=True):
            assert_same(one, other)
    elif isinstance(found, datetime):
        assert found == datetime.fromisoformat(given)
    else:
        assert found == given


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_long_way_comes_to_the_same(sample: Sample) -> None:
    assert tolerantly(sample.raw) == DECODER(sample.raw)


@pytest.mark.parametrize("event_name", EVENT_NAMES)
@settings(max_examples=50, deadline=None)
@given(data=st.data(), ensure_ascii=st.booleans())
def test_both_ways_make_the_same_record(event_name: str, data: st.DataObject, ensure_ascii: bool) -> None:
    value = json.dumps(data.draw(wire_events(event_name)), ensure_ascii=ensure_ascii).encode()
    record = DECODER(value)
    assert tolerantly(value) == record
    encoder = ENCODERS[event_name]
    if is_plain_ascii(value):
        assert encoder.encode_ascii(record) == encoder.encode(record)


TAKEN: list[tuple[bytes, str, Any]] = [
    (changed("body", id=5), "body.id", "5"),
    (changed("body", id=10**30), "body.id", str(10**30)),
    (changed("body", user_uuid=None), "body.user_uuid", None),
    (without("body", "user_uuid"), "body.user_uuid", None),
    (changed("body", title=""), "body.title", ""),
    (changed("body", attempt=2.0), "body.attempt", 2),
    (changed("body", attempt=1e18), "body.attempt", 10**18),
    (changed("body", attempt=0), "body.attempt", 0),
    (changed("body", score=0), "body.score", 0.0),
    (changed("body", score=2**70), "body.score", float(2**70)),
    (changed("body", score=float("nan")), "body.score", None),
    (changed("body", mastery=False, score=float("nan")), "body.mastery", False),
    (changed("metadata", job_tag=""), "metadata.job_tag", None),
    (changed("metadata", job_id=1020020528469291), "metadata.job_id", "1020020528469291"),
    (changed("metadata", root_account_id=21070000000000001), "metadata.root_account_id", "21070000000000001"),
    (
        changed("body", created_at="2024-05-01T10:00:00"),
        "body.created_at",
        datetime(2024, 5, 1, 10, tzinfo=UTC),
    ),
    (
        changed("body", created_at="2024-05-01 10:00:00 UTC", id=1),
        "body.created_at",
        datetime(2024, 5, 1, 10, tzinfo=UTC),
    ),
    (raw({"attributes": NEWEST[RESULT]["metadata"], "body": NEWEST[RESULT]["body"]}), "body.id", "1"),
    (
        raw({"metadata": None, "attributes": NEWEST[RESULT]["metadata"], "body": NEWEST[RESULT]["body"]}),
        "body.id",
        "1",
    ),
    (raw({"body": NEWEST[RESULT]["body"], "metadata": NEWEST[RESULT]["metadata"]}), "body.id", "1"),
    (changed("body", OUTCOME, rubric_criterion={}), "body.rubric_criterion.ratings", None),
    (changed("body", PROFICIENCY, outcome_proficiency_ratings=[]), "body.outcome_proficiency_ratings", []),
    # What looks like the event's name is that of something else.
    (raw({"event_name": RUBRIC} | NEWEST[RESULT]), "metadata.event_name", RESULT),
    (raw({"event_name": "logged_in"} | NEWEST[RESULT]), "metadata.event_name", RESULT),
    (
        raw(
            {"body": {"event_name": OUTCOME} | NEWEST[RESULT]["body"], "metadata": NEWEST[RESULT]["metadata"]}
        ),
        "body.extra",
        f'{{"event_name":"{OUTCOME}"}}',
    ),
    (raw(event()).replace(b'"event_name"', b'"event\\u005fname"'), "metadata.event_name", RESULT),
    (b"\n" + json.dumps(event(), indent=2).encode() + b"\n", "metadata.event_name", RESULT),
]


@pytest.mark.parametrize(("value", "path", "expected"), TAKEN, ids=lambda value: repr(value)[-50:])
def test_other_forms_are_taken(value: bytes, path: str, expected: Any) -> None:
    found = DECODER(value)
    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected
    assert type(found) is type(expected)


def test_ids_in_records_within_arrays_may_be_integers() -> None:
    made = event(PROFICIENCY)
    made["body"]["outcome_proficiency_ratings"][1]["outcome_proficiency_rating_id"] = 2
    assert DECODER(raw(made)).body == DECODER(raw(event(PROFICIENCY))).body


def test_unknown_fields_are_kept_with_their_paths() -> None:
    made = event(OUTCOME)
    made["sequence"] = 9
    made["metadata"] |= {"shard": "a", "nothing": None, "$extra": 1}
    made["body"] |= {"event_id": "mine", "deep": {"a": [1, 2.5, {"b": None}], "é": "ü"}}
    made["body"]["rubric_criterion"]["scale"] = 5
    made["body"]["rubric_criterion"]["ratings"][2]["extra"] = True
    record = DECODER(raw(made))
    assert json.loads(record.metadata.extra) == {
        "shard": "a",
        "nothing": None,
        "$extra": 1,
        "$envelope.sequence": 9,
    }
    assert json.loads(record.body.extra) == {
        "event_id": "mine",
        "deep": {"a": [1, 2.5, {"b": None}], "é": "ü"},
        "rubric_criterion.scale": 5,
        "rubric_criterion.ratings[2].extra": True,
    }
    known = DECODER(raw(event(OUTCOME)))
    assert record.body.rubric_criterion == known.body.rubric_criterion
    assert record.event_id == sha256(raw(made)).hexdigest()[:32]


def test_metadata_wins_over_attributes() -> None:
    made = event() | {"attributes": {"event_name": "logged_in"}}
    assert json.loads(DECODER(raw(made)).metadata.extra) == {
        "$envelope.attributes": {"event_name": "logged_in"}
    }


REFUSED: list[tuple[bytes | None, str, str]] = [
    (None, "null-value", ""),
    (b"", "not-json", ""),
    (raw(event())[:-1], "not-json", ""),
    (raw(event()).replace(b"canvas", b"canv\xff"), "not-utf8", ""),
    (raw(event()).replace(b"canvas", rb"canv\ud800"), "not-json", ""),
    (b"[]", "not-an-object", ""),
    (b'"event_name"', "not-an-object", ""),
    (b"null", "not-an-object", ""),
    (b'{"event_name": "learning_outcome_created"}', "no-event-name", "metadata"),
    (b'{"metadata": {}, "body": {}}', "no-event-name", "metadata.event_name"),
    (changed("metadata", event_name=None), "no-event-name", "metadata.event_name"),
    (changed("metadata", event_name=""), "no-event-name", "metadata.event_name"),
    (changed("metadata", event_name=5), "wrong-type", "metadata.event_name"),
    (changed("metadata", event_name=["logged_in"]), "wrong-type", "metadata.event_name"),
    (b'{"metadata": "logged_in", "body": {}}', "wrong-type", "metadata"),
    (changed("metadata", event_name="learning_outcome_exploded"), "unknown-event", "metadata.event_name"),
    (changed("metadata", event_name="LEARNING_OUTCOME_CREATED"), "unknown-event", "metadata.event_name"),
    (raw({"metadata": NEWEST[RESULT]["metadata"]}), "missing-field", "body"),
    (raw(event() | {"body": None}), "missing-field", "body"),
    (raw(event() | {"body": []}), "wrong-type", "body"),
    (without("body", "learning_outcome_id"), "missing-field", "body.learning_outcome_id"),
    (changed("body", learning_outcome_id=None), "missing-field", "body.learning_outcome_id"),
    (without("metadata", "event_time"), "missing-field", "metadata.event_time"),
    (changed("metadata", event_time=""), "missing-field", "metadata.event_time"),
    (changed("metadata", event_time=1572961080), "wrong-type", "metadata.event_time"),
    (changed("metadata", event_time="soon"), "invalid-time", "metadata.event_time"),
    (changed("body", created_at=""), "invalid-time", "body.created_at"),
    (changed("body", assessed_at="2024-02-30T10:00:00Z"), "invalid-time", "body.assessed_at"),
    (changed("body", id=1.5), "wrong-type", "body.id"),
    (changed("body", id=True), "wrong-type", "body.id"),
    (changed("body", id=["1"]), "wrong-type", "body.id"),
    (changed("body", title=5), "wrong-type", "body.title"),
    (changed("body", score="5"), "wrong-type", "body.score"),
    (changed("body", score=False), "wrong-type", "body.score"),
    (changed("body", score={}), "wrong-type", "body.score"),
    (changed("body", score=10**400), "out-of-range", "body.score"),
    (changed("body", score=float("inf")), "out-of-range", "body.score"),
    (changed("body", percent=float("-inf")), "out-of-range", "body.percent"),
    (raw(event()).replace(b'"score": 5', b'"score": 1e400'), "out-of-range", "body.score"),
    (changed("body", attempt=2**63), "out-of-range", "body.attempt"),
    (changed("body", attempt=-(2**63) - 1), "out-of-range", "body.attempt"),
    (changed("body", attempt=1e300), "out-of-range", "body.attempt"),
    (changed("body", attempt=1.5), "wrong-type", "body.attempt"),
    (changed("body", attempt=float("inf")), "out-of-range", "body.attempt"),
    (changed("body", mastery=float("inf")), "wrong-type", "body.mastery"),
    (changed("body", mastery=1), "wrong-type", "body.mastery"),
    (changed("body", mastery="true"), "wrong-type", "body.mastery"),
    (raw(event()).replace(b'"attempt": 1', b'"attempt": ' + b"1" * 5000), "out-of-range", ""),
    (changed("body", novelty=float("inf")), "out-of-range", "body.extra"),
    (changed("body", OUTCOME, rubric_criterion=5), "wrong-type", "body.rubric_criterion"),
    (changed("body", OUTCOME, rubric_criterion=None), "missing-field", "body.rubric_criterion"),
    (
        changed("body", OUTCOME, rubric_criterion={"ratings": {}}),
        "wrong-type",
        "body.rubric_criterion.ratings",
    ),
    (
        changed("body", OUTCOME, rubric_criterion={"ratings": [{}, None]}),
        "missing-field",
        "body.rubric_criterion.ratings[1]",
    ),
    (
        changed("body", OUTCOME, rubric_criterion={"ratings": [{}, {"points": "3"}]}),
        "wrong-type",
        "body.rubric_criterion.ratings[1].points",
    ),
    (
        without("body", "outcome_proficiency_ratings", PROFICIENCY),
        "missing-field",
        "body.outcome_proficiency_ratings",
    ),
    (changed("body", novelty=[[]]).replace(b"[[]]", b"[" * 100_000 + b"]" * 100_000), "not-json", ""),
]


@pytest.mark.parametrize(("value", "kind", "path"), REFUSED, ids=lambda value: repr(value)[-40:])
def test_what_is_not_right_is_refused_with_its_place(value: bytes | None, kind: str, path: str) -> None:
    assert refusal(value) == (kind, path)


@pytest.mark.parametrize(("value", "kind", "path"), REFUSED[8:], ids=lambda value: repr(value)[-40:])
def test_a_refusal_tells_nothing_of_the_content(value: bytes, kind: str, path: str) -> None:
    with pytest.raises(EventRefused) as caught:
        DECODER(value)
    assert str(caught.value) == (f"{kind} at {path}" if path else kind)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("event_name", sorted(DOCUMENTED_EVENTS))
def test_documented_events_are_ignored(event_name: str) -> None:
    for value in (
        changed("metadata", event_name=event_name),
        changed("metadata", event_name=event_name).replace(b'"metadata"', b'"attributes"'),
    ):
        with pytest.raises(EventIgnored) as caught:
            DECODER(value)
        assert caught.value.event_name == event_name


def test_documented_events_can_be_dead_letters() -> None:
    strict = EventDecoder(CONTRACT, MODELS, other_events="dead-letter")
    expected = ("ignored-event", "metadata.event_name")
    assert refusal(changed("metadata", event_name="logged_in"), strict) == expected
    assert refusal(raw({"attributes": {"event_name": "logged_in"}}), strict) == expected
    assert strict(raw(event())) == DECODER(raw(event()))


def test_a_broken_ignored_event_is_refused() -> None:
    assert refusal(changed("metadata", event_name="logged_in")[:-1]) == ("not-json", "")


def decodes_or_refuses(value: bytes) -> None:
    """Only EventRefused and EventIgnored are raised; what is decoded can be encoded, but for some times."""
    try:
        record = DECODER(value)
    except (EventRefused, EventIgnored) as error:
        assert error.__cause__ is None  # noqa: PT017 - or no error at all
        return
    encoder = ENCODERS[record.metadata.event_name]
    try:
        encoded = encoder.encode(record)
    except TimestampRangeError:
        return
    if is_plain_ascii(value):
        assert encoder.encode_ascii(record) == encoded


@given(st.binary(max_size=100))
def test_any_bytes_are_decoded_or_refused(value: bytes) -> None:
    decodes_or_refuses(value)


PIECES = rb'" \ { } [ ] , : {} "" null true -1 1e999 1e9 NaN Infinity \ud800 \u0022 9999-12-31T23:59:59-05:00'
OTHER_BYTES = [b"", b"\0", b"\xff", b"9" * 25, *PIECES.split()]


def mutated(value: bytes, data: st.DataObject) -> bytes:
    made = bytearray(value)
    pieces = st.sampled_from(OTHER_BYTES)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(made)))
        made[start : start + data.draw(st.integers(0, 12))] = data.draw(pieces)
    return bytes(made)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_events_are_decoded_or_refused(sample: Sample, data: st.DataObject) -> None:
    decodes_or_refuses(mutated(sample.raw, data))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any) -> list[Callable[[Any], None]]:
    """For each place in a JSON value, a function that puts something else there."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[Callable[[Any], None]] = []
    for key, inner in items:
        found += [lambda other, key=key: value.__setitem__(key, other), *places(inner)]  # type: ignore[misc]
    return found


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), st.data(), json_values)
def test_events_with_anything_in_any_place_are_decoded_or_refused(
    sample: Sample, data: st.DataObject, other: Any
) -> None:
    made = json.loads(sample.raw)
    data.draw(st.sampled_from(places(made)))(other)
    decodes_or_refuses(json.dumps(made).encode(errors="surrogatepass"))


def test_times_beyond_what_consumers_can_read_are_left_to_the_encoder() -> None:
    record = DECODER(changed("body", created_at="9999-12-31T23:59:59-01:00"))
    with pytest.raises(TimestampRangeError, match=r"body\.created_at"):
        ENCODERS[RESULT].encode_ascii(record)


def test_kinds_are_all_in_use_but_what_others_find_out() -> None:
    used = {kind for _, kind, _ in REFUSED} | {"ignored-event"}
    assert {kind.value for kind in ErrorKind} - used == {"too-large", "in-envelope"}

"""The generated decoders read what fastavro reads, and refuse the rest."""

import contextlib
import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mastery.versions import milliseconds
from app.schemas.decoder import (
    AvroDecoder,
    DecodingError,
    MalformedRecordError,
    NotFramedError,
    UnknownSchemaError,
    compile_decoder,
)
from app.schemas.encoder import compile_encoder
from app.schemas.pieces import long
from app.schemas.shape import UnsupportedSchemaError
from tests.support.events import CONTRACT, EVENT_NAMES, as_dict, records

SCHEMAS = {name: fastavro.parse_schema(json.loads(event.text)) for name, event in CONTRACT.events.items()}
ENCODERS = {name: compile_encoder(event.schema, 7) for name, event in CONTRACT.events.items()}
DECODERS = {name: compile_decoder(event.schema) for name, event in CONTRACT.events.items()}
OUTCOME = "learning_outcome_created"

SMALL = {"type": "record", "name": "Small", "fields": [{"name": "number", "type": "long"}]}
FOREIGN = {
    "type": "record",
    "name": "Foreign",
    "fields": [
        {"name": "count", "type": "int"},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
    ],
}


def by_fastavro(schema: Any, record: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record)
    return stream.getvalue()


@pytest.mark.parametrize("event_name", EVENT_NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_record_is_read_as_by_fastavro(event_name: str, data: st.DataObject) -> None:
    payload = ENCODERS[event_name].encode(data.draw(records(event_name)))[5:]
    expected = fastavro.schemaless_reader(io.BytesIO(payload), SCHEMAS[event_name], None)
    assert DECODERS[event_name](payload) == expected


def paths_of(record: Any, path: str = "") -> list[str]:
    return [
        found
        for name, value in record.items()
        for found in (paths_of(value, f"{path}{name}.") if isinstance(value, dict) else [path + name])
    ]


def pruned(record: Any, only: set[str], path: str = "") -> Any:
    kept = {}
    for name, value in record.items():
        if isinstance(value, dict) and any(wanted.startswith(f"{path}{name}.") for wanted in only):
            kept[name] = pruned(value, only, f"{path}{name}.")
        elif path + name in only:
            kept[name] = value
    return kept


@pytest.mark.parametrize("event_name", [OUTCOME, "learning_outcome_result_updated"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_fields_that_are_not_wanted_are_passed_over(event_name: str, data: st.DataObject) -> None:
    payload = ENCODERS[event_name].encode(data.draw(records(event_name)))[5:]
    full = DECODERS[event_name](payload)
    only = data.draw(st.sets(st.sampled_from(paths_of(full)), min_size=1))
    decode = compile_decoder(CONTRACT.events[event_name].schema, only=only)
    assert decode(payload) == pruned(full, only)
    for damaged in (payload[:-1], payload + b"\0"):
        with pytest.raises(MalformedRecordError):
            decode(damaged)


TIME_OF_OUTCOME = compile_decoder(
    CONTRACT.events[OUTCOME].schema, only={"metadata.event_time"}, plain_times=True
)


@settings(max_examples=30, deadline=None)
@given(records(OUTCOME))
def test_plain_times_are_milliseconds(record: Any) -> None:
    payload = ENCODERS[OUTCOME].encode(record)[5:]
    full = DECODERS[OUTCOME](payload)
    assert TIME_OF_OUTCOME(payload) == {
        "metadata": {"event_time": milliseconds(full["metadata"]["event_time"])}
    }


@settings(max_examples=30, deadline=None)
@given(records(OUTCOME))
def test_a_record_comes_back_to_the_millisecond(record: Any) -> None:
    decoded = DECODERS[OUTCOME](ENCODERS[OUTCOME].encode(record)[5:])
    time = decoded["metadata"]["event_time"]
    assert time.utcoffset().total_seconds() == 0
    assert 0 <= (record.metadata.event_time - time).total_seconds() < 0.001
    decoded["metadata"]["event_time"] = record.metadata.event_time
    assert decoded == as_dict(record)


@settings(max_examples=30, deadline=None)
@given(records("outcome_proficiency_updated"), st.data())
def test_a_record_that_was_cut_off_or_has_more_is_malformed(record: Any, data: st.DataObject) -> None:
    payload = ENCODERS["outcome_proficiency_updated"].encode(record)[5:]
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    for wrong in (cut, payload + b"\0"):
        with pytest.raises(MalformedRecordError):
            DECODERS["outcome_proficiency_updated"](wrong)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(EVENT_NAMES))
def test_random_bytes_are_malformed_at_worst(payload: bytes, event_name: str) -> None:
    try:
        decoded = DECODERS[event_name](payload)
    except MalformedRecordError:
        return
    assert by_fastavro(SCHEMAS[event_name], decoded)


@settings(max_examples=100, deadline=None)
@given(records(OUTCOME), st.data())
def test_flipped_bytes_are_malformed_at_worst(record: Any, data: st.DataObject) -> None:
    payload = bytearray(ENCODERS[OUTCOME].encode(record)[5:])
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedRecordError):
        DECODERS[OUTCOME](bytes(payload))


def test_a_long_of_more_than_ten_bytes_is_malformed() -> None:
    decode = compile_decoder(SMALL)
    assert decode(b"\xff" * 9 + b"\x01") == {"number": -(2**63)}
    with pytest.raises(MalformedRecordError):
        decode(b"\xff" * 10 + b"\x01")


def test_array_blocks_may_name_their_size_in_bytes() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "texts", "type": {"type": "array", "items": "string"}}],
    }
    # One block of one item, then one of -2 items and 4 bytes, then the end.
    payload = b"\x02\x02a" + b"\x03\x08\x02b\x02c" + b"\x00"
    assert compile_decoder(schema)(payload) == {"texts": ["a", "b", "c"]}


def test_a_time_of_few_bytes_at_the_end_is_read() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}}],
    }
    decode = compile_decoder(schema)
    for payload in (b"\x00", b"\x01", b"\x80\x01", b"\xff\xff\xff\xff\xff\x7f", b"\xfe\xff\xff\xff\xff\x7f"):
        expected = fastavro.schemaless_reader(io.BytesIO(payload), fastavro.parse_schema(schema), None)
        assert decode(payload) == expected


@pytest.mark.parametrize("plain_times", [False, True])
@pytest.mark.parametrize(
    ("milliseconds", "known"),
    [
        (-62_135_596_800_000, True),
        (-62_135_596_800_001, False),
        (253_402_300_799_999, True),
        (253_402_300_800_000, False),
        (2**63 - 1, False),
        (2**68, False),  # more than 64 bits: no long at all
    ],
)
def test_a_time_that_no_datetime_knows_is_none(milliseconds: int, known: bool, plain_times: bool) -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}}],
    }
    decode = compile_decoder(schema, plain_times=plain_times)
    payload = long(milliseconds).encode("latin-1")
    if known:
        assert decode(payload)
    else:
        with pytest.raises(MalformedRecordError):
            decode(payload)


def test_framed_records_are_read_with_the_schema_they_name() -> None:
    asked = []

    def schema_by_id(schema_id: int) -> dict[str, Any] | str:
        asked.append(schema_id)
        return {1: SMALL, 2: json.dumps(SMALL), 2**32 - 1: FOREIGN}[schema_id]

    decoder = AvroDecoder(schema_by_id)
    foreign = {"count": 3, "colour": "BLUE", "tags": {"a": "b"}}
    for _ in range(2):
        assert decoder.decode(b"\0\0\0\0\1" + by_fastavro(SMALL, {"number": 300})) == {"number": 300}
        assert decoder.decode(b"\0\0\0\0\2" + by_fastavro(SMALL, {"number": -1})) == {"number": -1}
        assert decoder.decode(b"\0\xff\xff\xff\xff" + by_fastavro(FOREIGN, foreign)) == foreign
    assert asked == [1, 2, 2**32 - 1]


@pytest.mark.parametrize("payload", [b"", b"\2", b"\2\4", b"\2\2\0\0", b"\2\2\2\x02\xff"])
def test_what_fastavro_can_not_read_is_malformed_too(payload: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        AvroDecoder(lambda _: FOREIGN).decode(b"\0\0\0\0\1" + payload)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\1", b"\1\0\0\0\1\2", b'{"a": 1}'])
def test_what_is_not_framed_is_refused(value: bytes) -> None:
    with pytest.raises(NotFramedError):
        AvroDecoder(lambda _: SMALL).decode(value)


def test_an_unknown_id_is_named_and_asked_for_again() -> None:
    known: dict[int, Any] = {}
    decoder = AvroDecoder(known.__getitem__)
    with pytest.raises(UnknownSchemaError, match="260") as caught:
        decoder.decode(b"\0\0\0\1\4\2")
    assert caught.value.schema_id == 260
    assert isinstance(caught.value, DecodingError)
    known[260] = SMALL
    assert decoder.decode(b"\0\0\0\1\4\2") == {"number": 1}


def test_a_schema_that_needs_fastavro_is_not_compiled() -> None:
    with pytest.raises(UnsupportedSchemaError):
        compile_decoder(FOREIGN)

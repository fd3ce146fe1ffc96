"""The generated encoders write what fastavro writes, byte for byte."""

import io
import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.schemas.encoder import Encoder, TimestampRangeError, compile_encoder, is_plain_ascii
from app.schemas.shape import UnsupportedSchemaError
from tests.support.events import ANY_TEXT, ASCII_TEXT, CONTRACT, EVENT_NAMES, as_dict, records

SCHEMAS = {name: fastavro.parse_schema(json.loads(event.text)) for name, event in CONTRACT.events.items()}
ENCODERS = {name: compile_encoder(event.schema, 7) for name, event in CONTRACT.events.items()}
WITHOUT_PII = {
    name: compile_encoder(event.schema, 7, drop_pii=True) for name, event in CONTRACT.events.items()
}
RESULT = "learning_outcome_result_created"
OUTCOME = "learning_outcome_created"


def by_fastavro(schema: Any, record: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, as_dict(record), strict=True)
    return b"\x00\x00\x00\x00\x07" + stream.getvalue()


@pytest.mark.parametrize("event_name", EVENT_NAMES)
@settings(max_examples=80, deadline=None)
@given(data=st.data(), ascii_only=st.booleans())
def test_a_record_is_written_as_by_fastavro(event_name: str, data: st.DataObject, ascii_only: bool) -> None:
    record = data.draw(records(event_name, ASCII_TEXT if ascii_only else ANY_TEXT))
    expected = by_fastavro(SCHEMAS[event_name], record)
    assert ENCODERS[event_name].encode(record) == expected
    if ascii_only:
        assert ENCODERS[event_name].encode_ascii(record) == expected


class Small(msgspec.Struct, kw_only=True):
    text: str = ""
    long: int = 0
    double: float = 0.0
    flag: bool = False
    time: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    texts: list[str | None] = []
    maybe_text: str | None = None
    maybe_long: int | None = None
    maybe_double: float | None = None
    maybe_flag: bool | None = None
    maybe_time: datetime | None = None
    maybe_texts: list[str] | None = None


TIME = {"type": "long", "logicalType": "timestamp-millis"}
SMALL: dict[str, Any] = {
    "type": "record",
    "name": "Small",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "long", "type": "long"},
        {"name": "double", "type": "double"},
        {"name": "flag", "type": "boolean"},
        {"name": "time", "type": TIME},
        {"name": "texts", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "maybe_text", "type": ["null", "string"]},
        {"name": "maybe_long", "type": ["null", "long"]},
        {"name": "maybe_double", "type": ["null", "double"]},
        {"name": "maybe_flag", "type": ["null", "boolean"]},
        {"name": "maybe_time", "type": ["null", TIME]},
        {"name": "maybe_texts", "type": ["null", {"type": "array", "items": "string"}]},
    ],
}
SMALL_ENCODER = compile_encoder(SMALL, 7)


def time(*parts: int, offset: int = 0, **more: int) -> datetime:
    return datetime(*parts, tzinfo=timezone(timedelta(hours=offset)), **more)  # type: ignore[arg-type,misc]


FIELDS = [
    *[{"text": "x" * size, "maybe_text": "y" * size} for size in (0, 1, 63, 64, 8191, 8192, 1_100_000)],
    *[{"texts": ["z"] * size, "maybe_texts": ["z"] * size} for size in (0, 1, 64, 8192)],
    {"texts": [None, "a", None]},
    *[
        {"long": sign * number, "maybe_long": sign * number}
        for number in (0, 1, 63, 64, 1023, 1024, 2**31, 2**53, 2**63 - 1)
        for sign in (1, -1)
    ],
    {"long": -(2**63), "maybe_long": -(2**63)},
    *[
        {"double": number, "maybe_double": number}
        for number in (0.0, -0.0, 0.1, -1.5, 1e308, 5e-324, float("inf"), float("-inf"))
    ],
    *[
        {"time": moment, "maybe_time": moment}
        for moment in (
            time(1, 1, 1),
            time(1, 1, 1, offset=-5),
            time(9999, 12, 31, 23, 59, 59, microsecond=999999),
            time(9999, 12, 31, 23, 59, 59, offset=5),
            time(1969, 12, 31, 23, 59, 59, microsecond=999999),
            time(1969, 12, 31, 23, 59, 59, microsecond=999),
            time(1970, 1, 1),
            time(1970, 1, 1, microsecond=999),
            time(1970, 1, 2, 23, 59, 59),
            time(1970, 1, 3),
            time(2039, 9, 7, 15, 47, 35, microsecond=551999),
            time(2039, 9, 7, 15, 47, 35, microsecond=552000),
            time(2024, 2, 29, 23, 59, 59, microsecond=999999, offset=14),
            time(2020, 8, 18, 17, 24, 46, offset=-6),
        )
    ],
    {"flag": True, "maybe_flag": True},
    {"maybe_flag": False},
]


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: repr(fields)[:60])
def test_values_at_the_edges_are_written_as_by_fastavro(fields: dict[str, Any]) -> None:
    record, schema = Small(**fields), fastavro.parse_schema(SMALL)
    for _ in range(2):  # the second time from the tables that the first has filled
        assert SMALL_ENCODER.encode(record) == by_fastavro(schema, record)
        assert SMALL_ENCODER.encode_ascii(record) == by_fastavro(schema, record)


@pytest.mark.parametrize("text", ["é", "ÿ", "€", "😀", "a\x00b", "\x7f", "\x80", "é" * 5000])
def test_text_of_any_kind_is_utf_8(text: str) -> None:
    record = Small(text=text, maybe_text=text, texts=[text])
    assert SMALL_ENCODER.encode(record) == by_fastavro(fastavro.parse_schema(SMALL), record)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_doubles_do_not_take_each_other_s_bytes(numbers: list[float]) -> None:
    encoder = compile_encoder(SMALL, 7)
    for number in [*numbers, 0.0, -0.0, 0.0]:
        assert struct.pack("<d", number) in encoder.encode_ascii(Small(double=number))


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_cut_to_milliseconds(moment: datetime) -> None:
    cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert SMALL_ENCODER.encode_ascii(Small(time=moment)) == SMALL_ENCODER.encode_ascii(Small(time=cut))


TIMES = {**SMALL, "fields": [SMALL["fields"][4], SMALL["fields"][10]]}
LONGS = json.loads(json.dumps(TIMES).replace(json.dumps(TIME), '"long"'))
PLAIN_ENCODER, LONG_ENCODER = compile_encoder(TIMES, 7, plain_times=True), compile_encoder(LONGS, 7)


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-(10**9), 300_000_000_000_000), max_size=9))
def test_plain_times_are_written_as_longs(times: list[int]) -> None:
    for moment in times:
        record = SimpleNamespace(time=moment, maybe_time=moment)
        assert PLAIN_ENCODER.encode(record) == LONG_ENCODER.encode(record)
        assert PLAIN_ENCODER.encode_ascii(record) == LONG_ENCODER.encode_ascii(record)


@pytest.mark.parametrize("method", ["encode", "encode_ascii"])
@pytest.mark.parametrize("moment", [time(1, 1, 1, offset=1), time(9999, 12, 31, 23, 59, offset=-1)])
def test_a_time_that_python_could_not_read_back_is_refused(method: str, moment: datetime) -> None:
    with pytest.raises(TimestampRangeError, match="maybe_time") as caught:
        getattr(SMALL_ENCODER, method)(Small(maybe_time=moment))
    assert caught.value.path == "maybe_time"
    assert "9999-" not in str(caught.value)


@pytest.mark.parametrize("schema_id", [0, 1, 2**31 - 1])
def test_framing_is_a_zero_byte_and_the_schema_id(schema_id: int) -> None:
    encoder = compile_encoder(SMALL, schema_id)
    assert encoder.schema_id == schema_id
    for encode in (encoder.encode, encoder.encode_ascii):
        assert encode(Small())[:5] == b"\0" + schema_id.to_bytes(4, "big")


def pii_fields(schema: dict[str, Any]) -> set[str]:
    return {field["name"] for field in schema["fields"] if field.get("mastery.pii")}


@pytest.mark.parametrize("event_name", EVENT_NAMES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_personal_data_is_dropped_and_nothing_else(event_name: str, data: st.DataObject) -> None:
    record = data.draw(records(event_name, ASCII_TEXT))
    expected = as_dict(record)
    schema = CONTRACT.events[event_name].schema
    for part in ("metadata", "body"):
        part_schema = next(field["type"] for field in schema["fields"] if field["name"] == part)
        expected[part] |= dict.fromkeys(pii_fields(part_schema))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMAS[event_name], expected)
    encoder = WITHOUT_PII[event_name]
    assert encoder.encode(record)[5:] == encoder.encode_ascii(record)[5:] == stream.getvalue()


def test_personal_data_that_can_not_be_null_is_an_error() -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string", "mastery.pii": True}]}
    compile_encoder(schema, 1)
    with pytest.raises(UnsupportedSchemaError, match="a is personal data"):
        compile_encoder(schema, 1, drop_pii=True)


def test_the_source_can_be_read() -> None:
    encoder: Encoder = ENCODERS[RESULT]
    assert "def encode_ascii(record):" in encoder.source
    assert "# body.learning_outcome_id" in encoder.source
    compile(encoder.source, RESULT, "exec")


def test_records_in_arrays_are_written_by_functions_of_their_own() -> None:
    assert "def ascii_body_rubric_criterion_ratings(values):" in ENCODERS[OUTCOME].source


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@given(json_values, st.booleans())
def test_plain_ascii_json_has_no_other_strings(value: Any, ensure_ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
    if is_plain_ascii(raw):
        assert all(text.isascii() for text in strings(value))


def test_escapes_alone_do_not_make_json_less_than_plain() -> None:
    assert is_plain_ascii(rb'{"a": "b\"\n\\"}')
    assert not is_plain_ascii(rb'{"a": "\u00e9"}')
    assert not is_plain_ascii('{"a": "é"}'.encode())

"""Values of any topic as JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.values import _json_types, plain, timestamp_text

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(values)
def test_json_stays_what_it_is(value):
    assert plain(json.dumps(value).encode()) == value


@given(st.binary())
def test_anything_can_be_written_as_json(raw):
    json.dumps(plain(raw), allow_nan=False)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (None, None),
        (b"", ""),
        (b"plain text", "plain text"),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b"[" * 100_000, "[" * 100_000),
        (b"[1e999]", "[1e999]"),
        (b"[" * 101 + b"]" * 101, "[" * 101 + "]" * 101),
        (b"\xff\x00", {"base64": "/wA="}),
    ],
)
def test_what_is_no_json(raw, shown):
    assert plain(raw) == shown


def test_avro_values():
    west = timezone(-timedelta(hours=7))
    record = {
        "time": datetime(2024, 1, 2, 3, 4, 5, 678_000, west),
        "nested": [{"score": float("nan"), "possible": 5.0, "raw": b"\xff"}],
    }
    assert _json_types(record) == {
        "time": "2024-01-02T10:04:05.678Z",
        "nested": [{"score": None, "possible": 5.0, "raw": {"base64": "/w=="}}],
    }


@given(st.integers(0, 253_402_300_799_999))
def test_timestamps_to_the_millisecond(milliseconds):
    text = timestamp_text(milliseconds)
    assert text.endswith("Z")
    moment = datetime.fromisoformat(text)
    assert timestamp_text(2**63 - 1) == str(2**63 - 1)
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == milliseconds

"""JSON, and what else is sent for it."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.errors import ErrorKind, EventRefused
from app.events.parse import OUT_OF_RANGE, parse_json


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        (b' {"a":\t1}\r\n', {"a": 1}),
        (b'"\\u00e9\\ud83d\\ude00"', "é😀"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"NaN", None),
        (b'{"a": NaN, "b": "NaN", "c": [NaN]}', {"a": None, "b": "NaN", "c": [None]}),
        (b'{"a": "\\"NaN", "b": NaN}', {"a": '"NaN', "b": None}),
        (b'{"Infinity": "-Infinity", "NaN": NaN}', {"Infinity": "-Infinity", "NaN": None}),
        (b'{"a": Infinity, "b": -Infinity}', {"a": OUT_OF_RANGE, "b": OUT_OF_RANGE}),
        (b'{"a": 1e400, "b": -1e400, "c": 1e-400}', {"a": OUT_OF_RANGE, "b": OUT_OF_RANGE, "c": 0.0}),
        (b"1" + b"0" * 400, 10**400),
    ],
)
def test_these_are_values(raw: bytes, expected: Any) -> None:
    assert parse_json(raw) == expected


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "not-json"),
        (b"   ", "not-json"),
        (b"{", "not-json"),
        (b'{"a": "b', "not-json"),
        (b'{"a": 1', "not-json"),
        (b'{"a": 1}}', "not-json"),
        (b'{"a": 1,}', "not-json"),
        (b"{'a': 1}", "not-json"),
        (b'{"a": 01}', "not-json"),
        (b'{"a": "\x01"}', "not-json"),
        (b'{"a": "\\x"}', "not-json"),
        (b'{"a": "\\ud800"}', "not-json"),
        (b'{"a": "\\ud800\\u0041"}', "not-json"),
        (b'{"\\udc00": 1}', "not-json"),
        (b'{"a": NaN, "b": "\\ud800"}', "not-json"),
        (b'{"a": nan}', "not-json"),
        (b'{"a": NaNNaN}', "not-json"),
        (b'{"a": +Infinity}', "not-json"),
        (b'{"a": NaN', "not-json"),
        (b'{"a": 1Infinity}', "not-json"),
        (b'{"a": Infinity1}', "not-json"),
        (b'{"a": 2-Infinity}', "not-json"),
        (b'{"a": 1.5Infinity.5}', "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        ('{"a": 1}'.encode("utf-16"), "not-utf8"),
        (b'{"a": "\xff"}', "not-utf8"),
        (b'{"a": "\xed\xa0\x80"}', "not-utf8"),
        (b'{"a": "\xc3\xa9", "b": "\xe9"}', "not-utf8"),
        (b'{"a": \xff', "not-utf8"),
        (b"[" * 100_000, "not-json"),
        (b'{"a":' * 100_000, "not-json"),
        (b'{"a": NaN, "b":' + b"[" * 100_000, "not-json"),
        (b'{"a": 1e400, "b":' + b"[" * 100_000, "not-json"),
        (b"1" * 5000, "out-of-range"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_these_are_not(raw: bytes, kind: str) -> None:
    with pytest.raises(EventRefused) as caught:
        parse_json(raw)
    assert caught.value.kind == kind
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("raw", [b'NaN"' + b'\\"' * 500_000, b"NaN" * 300_000, b'NaN "' * 200_000])
def test_hostile_text_costs_no_more_than_its_length(raw: bytes) -> None:
    start = time.process_time()
    with pytest.raises(EventRefused):
        parse_json(raw)
    assert time.process_time() - start < 2


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_refused(raw: bytes) -> None:
    try:
        parse_json(raw)
    except EventRefused as refused:
        assert refused.kind in (ErrorKind.NOT_UTF8, ErrorKind.NOT_JSON)  # noqa: PT017 - or no error at all


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


def as_read(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_read(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else OUT_OF_RANGE
    return value


@given(json_values, st.booleans())
def test_whatever_python_writes_is_read(value: Any, ensure_ascii: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == as_read(value)

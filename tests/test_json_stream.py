"""Taking files of events apart."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import json_stream
from app.json_stream import EventFileError, json_events, json_objects

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)


def split(text: bytes) -> list[bytes]:
    return list(json_events(io.BytesIO(text), "f.json"))


@given(st.lists(objects, max_size=5), st.sampled_from(["lines", "array", "joined", "pretty", "array-lines"]))
def test_every_layout_gives_the_events_back(events, layout):
    pretty = 2 if layout == "pretty" else None
    texts = [json.dumps(event, ensure_ascii=False, indent=pretty).encode() for event in events]
    file = {
        "lines": b"".join(text + b"\n" for text in texts),
        "array": b"[" + b",".join(texts) + b"]",
        "joined": b"".join(texts),
        "pretty": b"\n\n".join(texts),
        "array-lines": b" [\r\n" + b" ,\r\n".join(texts) + b"\r\n]\r\n",
    }[layout]
    assert split(file) == texts


@given(st.lists(objects, max_size=4), st.integers(1, 7))
def test_pieces_may_end_anywhere(events, size):
    texts = [json.dumps(event).encode() for event in events]
    before = json_stream.CHUNK_BYTES
    json_stream.CHUNK_BYTES = size
    try:
        assert split(b"[" + b", ".join(texts) + b"]") == texts
    finally:
        json_stream.CHUNK_BYTES = before


def test_bytes_stay_as_they_are():
    raw = b'{ "a" :\t1.50,\n "b": "\\u00e9 \xc3\xa9 }{ \\" ][", "c": NaN}'
    assert split(b"\xef\xbb\xbf" + raw + b"\n" + raw) == [raw, raw]


@pytest.mark.parametrize("text", [b"", b" \n\n", b"[]", b"[ ]\n[]"])
def test_nothing_in_it(text):
    assert split(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1}\n{"a": 1,}\n', "line 2: broken JSON"),
        (b'{"a": 1}\n\n{\n"a": 1\n"b": 2}', "line 5: broken JSON"),
        (b'{"a": 1\n{"a": 2}\n', "line 2: broken JSON"),
        (b'{"a": "never closed', "line 1: broken JSON"),
        (b'{"a": [1, 2}', "line 1: broken JSON"),
        (b'{"a": 1}\n7\n', "line 2: an event is a JSON object"),
        (b'[{"a": 1},\n"text"]', "line 2: an event is a JSON object"),
        (b'[{"a": 1}\n{"a": 2}]', "line 2: a comma or a closing bracket is missing"),
        (b'[{"a": 1},', "line 1: the file ends too early"),
        (b'{"a": "\xff"}', "line 1: this is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "line 1: an event is a JSON object"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "line 1: nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_without_content(text, message):
    with pytest.raises(EventFileError, match="f.json, " + message) as caught:
        split(text)
    assert "never closed" not in str(caught.value)


def test_events_before_the_broken_one_are_given_out():
    events = json_events(io.BytesIO(b'{"a":1}\n{"b":2}\n{broken'), "f.json")
    assert [next(events), next(events)] == [b'{"a":1}', b'{"b":2}']
    with pytest.raises(EventFileError):
        next(events)


def test_a_bracket_that_is_never_closed_does_not_swallow_the_file(monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_EVENT_BYTES", 1000)
    monkeypatch.setattr(json_stream, "CHUNK_BYTES", 100)
    stream = io.BytesIO(b'{"a":\n' + b'{"b": 1}\n' * 10_000)
    with pytest.raises(EventFileError, match="line 3: broken JSON"):
        list(json_events(stream, "f.json"))
    assert stream.tell() < 2_000


def test_arrays_in_an_array_are_opened_and_lines_told():
    text = b'[\n [{"a": 1}, {"a": 2}],\n [],\n [\n  {"a": 3}]\n]\n{"a": 4}'
    found = list(json_objects(io.BytesIO(text), "f.json"))
    assert found == [(2, b'{"a": 1}'), (2, b'{"a": 2}'), (5, b'{"a": 3}'), (7, b'{"a": 4}')]
    with pytest.raises(EventFileError, match="line 2: an event is a JSON object"):
        split(text)
    with pytest.raises(EventFileError, match="this is none"):
        list(json_objects(io.BytesIO(b"[[[{}]]]"), "f.json"))

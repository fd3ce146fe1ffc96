import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import raw_lines as module
from app.json_stream import EventFileError
from app.raw_lines import raw_lines, to_line

RECORDS = st.none() | st.binary(min_size=1, max_size=30).filter(lambda raw: b"\n" not in raw)


@given(st.lists(RECORDS, max_size=8))
def test_what_is_written_is_read(records):
    file = b"".join(map(to_line, records))
    assert list(raw_lines(io.BytesIO(file), "file")) == records


@pytest.mark.parametrize("raw", [b"", b"\n", b"a\nb"])
def test_what_has_no_line(raw):
    with pytest.raises(ValueError, match="no line"):
        to_line(raw)


def test_a_last_line_need_not_end_and_a_carriage_return_is_part_of_it():
    assert list(raw_lines(io.BytesIO(b"a\r\n\n\xff"), "file")) == [b"a\r", None, b"\xff"]


def test_a_line_that_no_broker_takes(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENT_BYTES", 10)
    lines = raw_lines(io.BytesIO(b"123456789\n12345678901\n"), "some file")
    assert next(lines) == b"123456789"
    with pytest.raises(EventFileError, match="some file, line 2: longer than 10 bytes"):
        next(lines)

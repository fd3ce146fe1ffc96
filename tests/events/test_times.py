"""Times as Canvas and those who pass its events on write them."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.times import parse_time
from tests.support.events import wire_time

MOMENT = datetime(2019, 11, 5, 13, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-11-05T13:38:00Z", MOMENT),
        ("2019-11-05T13:38:00.218Z", MOMENT + timedelta(milliseconds=218)),
        ("2019-11-05T13:38:00,218Z", MOMENT + timedelta(milliseconds=218)),
        ("2019-11-05T07:38:00-06:00", MOMENT),
        ("2019-11-05T07:38:00-0600", MOMENT),
        ("2019-11-05T07:38:00-06", MOMENT),
        ("2019-11-05T19:08:00+05:30", MOMENT),
        ("2019-11-05t13:38:00z", MOMENT),
        ("2019-11-05 13:38:00 UTC", MOMENT),
        ("2019-11-05 07:38:00 -0600", MOMENT),
        ("2019-11-05T13:38Z", MOMENT),
        ("2019-11-05T13:38:00", MOMENT),
        ("2019-11-05 13:38", MOMENT),
        ("2019-11-05T13:38:00.1234567891Z", MOMENT + timedelta(microseconds=123457)),
    ],
)
def test_these_are_times(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected
    assert parse_time(text).tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2019-11-05",
        "13:38:00",
        "1572961080",
        "2019-11-05T13:38:00.Z",
        "2019-11-05T13:38:00ZZ",
        "2019-11-05T13:38:00+6:00",
        "2019-11-05T25:00:00Z",
        "2019-11-05T13:38:60Z",
        "2019-02-30T13:38:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2019-11-05T13:38:00+24:00",
        "٢٠١٩-11-05T13:38:00Z",
        "2019-11-05T13:38:00Z\n",
    ],
)
def test_these_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="no "):
        parse_time(text)


@given(wire_time())
def test_what_msgspec_takes_is_read_the_same(text: str) -> None:
    assert parse_time(text) == msgspec.convert(text, datetime)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        time = parse_time(text)
    except ValueError:
        return
    assert time.tzinfo is not None


def test_the_offset_is_kept() -> None:
    assert parse_time("2019-11-05T07:38:00-06").tzinfo == timezone(timedelta(hours=-6))

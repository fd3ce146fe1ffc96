from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.school.term import Term, utc_text, zoned_text

TIMES = st.integers(0, 4_000_000_000_000)


def moment(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@given(TIMES, st.sampled_from([-360, -240, 0, 330, 345]))
def test_texts_stand_for_the_time(time, offset):
    assert moment(utc_text(time)) == time
    assert utc_text(time).endswith("Z")
    assert moment(zoned_text(time, offset)) == time
    assert datetime.fromisoformat(zoned_text(time, offset)).utcoffset().total_seconds() == offset * 60


def test_milliseconds_are_written_where_there_are_some():
    assert utc_text(0) == "1970-01-01T00:00:00Z"
    assert utc_text(7) == "1970-01-01T00:00:00.007Z"
    assert zoned_text(7, -360) == "1969-12-31T18:00:00.007-06:00"


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(7, 400), st.floats(0, 3))
def test_a_term_has_school_days_alone_and_goes_forward(start, days, progress):
    term = Term(start, days)
    time = datetime.fromtimestamp(term.at(progress) / 1000, UTC)
    assert time.weekday() < 5
    assert 14 <= time.hour < 23
    assert time.date() >= start
    assert term.at(progress) <= term.at(progress + 0.01)
    # 120 days of the calendar, give or take the weekends at both ends.
    whole = (term.at(1) - term.at(0)) / 86_400_000
    assert days - 9 <= whole <= days + 3

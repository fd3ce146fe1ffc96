"""Whatever was delivered of a row's history, and whatever state an export shows: the later state counts."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.backfill.stamps import Stamp, stamp
from app.mastery.versions import Version

START = 1_788_000_000_000
UNKNOWN = 946_684_800_000


def cut(moment, precision):
    return moment // precision * precision


@st.composite
def histories(draw):
    """When a row was made and changed; how Canvas writes times, and how soon after it sends."""
    gaps = st.sampled_from([1, 5, 200, 400, 999, 1000, 1001, 1500, 60_000])
    times = [START + draw(st.integers(0, 2000))]
    for _ in range(draw(st.integers(0, 4))):
        times.append(times[-1] + draw(gaps))
    row, sent = draw(st.sampled_from([1, 1000])), draw(st.sampled_from([1, 1000]))
    lags = [draw(st.sampled_from([0, 1, 300, 999, 4000])) for _ in times]
    return times, row, sent, lags


def live(place, history):
    """The version of the live event of a state; the first is the creation."""
    times, row, sent, lags = history
    event_time = cut(times[place] + lags[place], sent)
    updated = place > 0
    return Version(updated, cut(times[place], row) if updated else 0, event_time, bytes([place]))


def exported(place, history, precision, touch=0):
    """The version of the backfilled event of a state."""
    times = history[0]
    told = stamp(cut(times[0], precision), cut(times[place] + touch, precision), UNKNOWN)
    updated = told.updated_at is not None
    return Version(updated, told.updated_at or 0, told.event_time, b"\xff")


@settings(max_examples=200)
@given(histories(), st.data())
def test_a_live_event_of_the_same_or_a_later_state_wins(history, data):
    states = range(len(history[0]))
    shown = data.draw(st.sampled_from(states))
    delivered = data.draw(st.sets(st.sampled_from(states), min_size=1))
    precision = data.draw(st.sampled_from([1, 1000]))
    latest = max(delivered, key=lambda place: live(place, history))
    backfilled = exported(shown, history, precision)
    if latest >= shown:
        assert backfilled < live(latest, history)


@settings(max_examples=200)
@given(histories(), st.data())
def test_an_export_makes_good_what_the_stream_lost(history, data):
    states = range(len(history[0]))
    shown = data.draw(st.sampled_from(states))
    delivered = data.draw(st.sets(st.sampled_from(states), min_size=1))
    precision = data.draw(st.sampled_from([1, 1000]))
    latest = max(delivered, key=lambda place: live(place, history))
    times = history[0]
    apart = cut(times[shown], 1000) - cut(times[latest], 1000) >= 1000
    late = cut(times[shown], precision) - cut(times[0], precision) > 1000
    if latest < shown and apart and late:
        assert live(latest, history) < exported(shown, history, precision)


@given(histories(), st.integers(0, 999), st.sampled_from([1, 1000]))
@example(([START + 999], 1, 1, [0]), 999, 1000)
def test_a_row_saved_twice_while_it_is_made_does_not_beat_its_creation(history, touch, precision):
    assert exported(0, history, precision, touch) < live(0, history)


@given(histories(), st.data())
def test_of_two_exports_the_later_one_wins(history, data):
    states = range(len(history[0]))
    earlier, later = sorted((data.draw(st.sampled_from(states)), data.draw(st.sampled_from(states))))
    if history[0][earlier] < history[0][later]:
        assert exported(earlier, history, 1) < exported(later, history, 1)


def test_rows_without_times_are_creations_of_long_ago():
    assert stamp(None, None, UNKNOWN) == Stamp(None, UNKNOWN - 2000)
    assert stamp(START, None, UNKNOWN) == Stamp(None, START - 2000)
    assert stamp(None, START + 1, UNKNOWN) == Stamp(START, START - 1999)

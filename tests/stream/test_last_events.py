from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.stream.batch import keep_newest
from app.stream.last_events import MOST_ACCOUNTS, OTHER_ACCOUNTS, UNNAMED_ACCOUNT, LastEvents

NOW = datetime(2026, 5, 1, tzinfo=UTC)
EVENT = "rubric_assessed"

newest_times = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([None, "x", "y"])),
    st.integers(-1000, 0).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@given(st.lists(newest_times))
def test_the_newest_of_each_event_and_account_stays(noted) -> None:
    last, together = LastEvents(), {}
    for newest in noted:
        last.note(newest, NOW.timestamp())
        keep_newest(together, newest)
    expected: dict[tuple[str, str], float] = {}
    for newest in noted:
        for (event, account), time in newest.items():
            source = event, account or UNNAMED_ACCOUNT
            expected[source] = max(expected.get(source, 0.0), time.timestamp())
    assert last.times() == expected
    at_once = LastEvents()
    at_once.note(together, NOW.timestamp())
    assert at_once.times() == expected


def test_a_time_in_the_future_does_not_hide_a_silence() -> None:
    last = LastEvents()
    last.note({(EVENT, "a"): NOW + timedelta(days=365)}, NOW.timestamp())
    assert last.times() == {(EVENT, "a"): NOW.timestamp()}
    last.note({(EVENT, "a"): NOW + timedelta(seconds=5)}, NOW.timestamp() + 60)
    assert last.times() == {(EVENT, "a"): NOW.timestamp() + 5}


def test_accounts_beyond_the_limit_are_one() -> None:
    last = LastEvents()
    for number in range(MOST_ACCOUNTS + 5):
        last.note({(EVENT, f"account-{number}"): NOW + timedelta(seconds=number)}, NOW.timestamp() + 1000)
    times = last.times()
    assert len(times) == MOST_ACCOUNTS + 1
    assert times[EVENT, OTHER_ACCOUNTS] == NOW.timestamp() + MOST_ACCOUNTS + 4
    # Those that are known go on being told apart, whatever the event.
    last.note({("learning_outcome_created", "account-0"): NOW}, NOW.timestamp())
    assert ("learning_outcome_created", "account-0") in last.times()


def test_what_is_too_long_for_an_account_makes_no_series_of_its_own() -> None:
    last = LastEvents()
    last.note({(EVENT, "x" * 65): NOW, (EVENT, "x" * 64): NOW, (EVENT, ""): NOW}, NOW.timestamp())
    assert {account for _, account in last.times()} == {OTHER_ACCOUNTS, "x" * 64, UNNAMED_ACCOUNT}

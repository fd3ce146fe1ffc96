from hypothesis import given
from hypothesis import strategies as st

from app.replay.headers import Replay, replay_headers, replay_of
from tests.replay.letters import letter, why

headers = st.lists(
    st.tuples(st.text().filter(lambda name: not name.startswith("mastery.")), st.none() | st.binary())
)
numbers = st.integers(0, 2**63 - 1)
replays = st.builds(Replay, topic=st.text(), partition=numbers, offset=numbers, count=numbers)


@given(headers, replays)
def test_what_is_written_is_read_and_the_original_headers_stay(original, replay):
    written = replay_headers(original, replay)
    assert written[: len(original)] == original
    assert replay_of(written) == replay


@given(headers, replays, replays)
def test_those_of_an_earlier_replay_are_replaced(original, first, second):
    assert replay_headers(replay_headers(original, first), second) == replay_headers(original, second)


def test_names_are_for_others_to_read():
    assert replay_headers([("trace", b"1")], Replay("canvas.dead-letter", 3, 17, 2)) == [
        ("trace", b"1"),
        ("mastery.replay.topic", b"canvas.dead-letter"),
        ("mastery.replay.partition", b"3"),
        ("mastery.replay.offset", b"17"),
        ("mastery.replay.count", b"2"),
    ]


@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_any_headers_can_be_read(headers):
    assert replay_of(headers) is None


def test_a_count_that_is_none_is_no_replay():
    written = replay_headers([], Replay("t", 0, 0, 1))
    for broken in (b"", None, b"x", b"\xff"):
        assert replay_of([*written, ("mastery.replay.count", broken)]) is None


def test_a_letter_that_failed_again_says_how_often_and_keeps_its_own_headers():
    raw_headers = replay_headers([("trace", b"1")], Replay("canvas.dead-letter", 0, 5, 2))
    again = letter(headers=why(original=raw_headers, offset=99))
    assert again.replays == 2
    assert (again.kind, again.why.offset) == ("missing-field", 99)
    third = replay_headers(again.original_headers, Replay("canvas.dead-letter", 1, 8, 3))
    assert third == replay_headers([("trace", b"1")], Replay("canvas.dead-letter", 1, 8, 3))

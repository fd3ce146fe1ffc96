import pytest

from app.reader import Record
from app.replay.marks import Mark, Marks, MarkUnreadable, digest, mark_key
from tests.replay.letters import letter, why


def mark(of, count=1):
    return Mark(digest(of), "canvas.live-events", 2, 41, count, 1_700_000_000_000)


def record(place, value):
    return Record("canvas.dead-letter-replays", 0, 0, 0, mark_key(place), value, ())


def test_a_mark_is_of_its_letter():
    one, other = letter((1, 5), b"1"), letter((1, 6), b"1")
    marks = Marks.of_records([record((1, 5), mark(one).encoded())])
    assert marks.of(one) == mark(one)
    assert marks.of(other) is None


def test_the_last_mark_counts_and_a_tombstone_takes_it_away():
    one = letter((1, 5))
    records = [record((1, 5), mark(one, count).encoded()) for count in (1, 2)]
    assert Marks.of_records(records).of(one) == mark(one, 2)
    assert Marks.of_records([*records, record((1, 5), None)]).of(one) is None


@pytest.mark.parametrize(
    "other",
    [
        letter((1, 5), b"other"),
        letter((1, 5), None),
        letter((1, 5), timestamp=1),
        letter((1, 5), headers=why(offset=9)),
        letter((1, 5), headers=[]),
    ],
)
def test_a_letter_of_a_topic_made_anew_has_no_mark(other):
    marks = Marks.of_records([record((1, 5), mark(letter((1, 5))).encoded())])
    assert marks.of(letter((1, 5))) is not None
    assert marks.of(other) is None


def test_a_digest_stays_what_it_is():
    """Another one would have everything replayed a second time after an upgrade."""
    assert digest(letter((1, 5), b"{}", timestamp=12)) == "9c9333de59373a00707aab908aa4e62e"


def test_fields_that_come_later_can_be_read():
    one = letter((1, 5))
    later = mark(one).encoded().replace(b"{", b'{"who":"me",', 1)
    assert Marks.of_records([record((1, 5), later)]).of(one) == mark(one)


@pytest.mark.parametrize("value", [b"", b"x", b"{}", b"\xff"])
def test_what_is_no_mark_is_no_reason_to_replay(value):
    with pytest.raises(MarkUnreadable, match="1:5"):
        Marks.of_records([record((1, 5), value)]).of(letter((1, 5)))


def test_marks_of_deleted_letters_may_go():
    places = [(0, 1), (0, 2), (1, 9), (2, 0)]
    records = [record(place, mark(letter(place)).encoded()) for place in places]
    foreign = Record("t", 0, 0, 0, b"not ours", b"x", ())
    marks = Marks.of_records([*records, foreign])
    assert marks.gone({0: 2, 1: 9}) == [b"0:1"]
    assert marks.gone({}) == []

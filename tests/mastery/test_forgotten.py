import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mastery import blob
from app.mastery.blob import BlobError
from app.mastery.forgotten import FORMAT, PREFIX, Forgotten, is_mark, remaining
from app.mastery.results import Results
from app.mastery.snapshot import RowKey, read_result
from tests.mastery.events import result

AT = 1_700_000_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_events_up_to_the_time_are_passed_over_and_later_ones_are_not():
    forgotten = Forgotten()
    assert not forgotten.passes_over("a", "u", 0)
    forgotten.forget("a", "u", AT)
    assert forgotten.passes_over("a", "u", AT)
    assert not forgotten.passes_over("a", "u", AT + 1)
    assert not forgotten.passes_over("a", "v", AT)
    assert not forgotten.passes_over("b", "u", AT)
    assert (len(forgotten), forgotten.time("a", "u"), forgotten.time("a", "v")) == (1, AT, None)


@given(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 2**62)), max_size=8))
def test_what_is_kept_is_enough(students):
    forgotten, kept = Forgotten(), {}
    for account, user, at in students:
        kept |= forgotten.forget(account, user, at)
    read = Forgotten.read(kept)
    assert bool(read) == bool(students)
    for account, user, at in students:
        assert read.time(account, user) == forgotten.time(account, user) >= at
    assert all(is_mark(key) and value[0] == FORMAT for key, value in kept.items())


def test_a_mark_is_never_taken_for_a_row_nor_a_row_for_a_mark():
    assert FORMAT != blob.FORMAT
    assert not is_mark(str(RowKey("forgotten/a", "u", "1")).encode())
    assert not is_mark(b"a:u:1")
    assert is_mark(PREFIX + b"salt")


def test_forgotten_again_the_later_time_counts():
    forgotten = Forgotten()
    first = forgotten.forget("a", "u", AT)
    assert forgotten.forget("a", "u", AT - 1) == {}
    assert forgotten.forget("a", "u", AT) == {}
    assert forgotten.time("a", "u") == AT
    later = forgotten.forget("a", "u", AT + 1)
    assert len(first | later) == len(first) == 2
    assert Forgotten.read(first | later).time("a", "u") == AT + 1


def test_what_is_kept_says_nothing_of_the_student():
    kept = Forgotten().forget("an-account", "a-student", AT)
    assert not any(word in b"".join(item) for item in kept.items() for word in (b"account", b"student"))
    assert kept.keys().isdisjoint(
        Forgotten().forget("an-account", "a-student", AT).keys() - {PREFIX + b"salt"}
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.pop(PREFIX + b"salt"),
        lambda kept: kept.update({PREFIX + b"salt": b"\xf1short"}),
        lambda kept: kept.update({PREFIX + b"00": b"\xf1"}),
        lambda kept: kept.update({PREFIX + b"00": b"\x01" + bytes(8)}),
        lambda kept: kept.update({b"a:u:1": b"\xf1" + bytes(8)}),
    ],
)
def test_damaged_marks_are_refused(change):
    kept = Forgotten().forget("a", "u", AT)
    change(kept)
    with pytest.raises(BlobError):
        Forgotten.read(kept)


def test_nothing_of_before_remains_of_results():
    results = Results()
    events = [
        result(id="1", sent=1),
        result(id="2", sent=9, artifact_id="7"),
        result(id="1", updated=3, sent=3, artifact_id="8"),
    ]
    for event in events:
        results.apply(read_result(event)[1])
    times = {one.id: one.version.event_time for one in results.snapshots}
    left = remaining(results, times["1"])
    assert [one.id for one in left.snapshots] == ["2"]
    assert not left.former_works
    assert not remaining(results, times["2"]).snapshots

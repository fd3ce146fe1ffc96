import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.local.letter_index import HOUR, Entry, LetterIndex
from app.web.models.stream import DeadLetterQuery
from app.web.problems import BadParameter

KINDS = ("not-json", "missing-field")


def entry(offset, *, partition=0, time=0, kind="not-json", event=None):
    return Entry(time * 1000, partition, offset, kind, event, kind, None, 2, 0, b"")


def filled(entries, most=1000):
    index = LetterIndex(most)
    for one in entries:
        index.add(one)
    return index


def pages(index, **query):
    """All pages from the first on, and the cursor back from each."""
    cursor, found = None, []
    while True:
        page = index.find(DeadLetterQuery(cursor=cursor, **query))
        found.append(page)
        cursor = page.next
        if cursor is None:
            return found


letters = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.sampled_from(KINDS)), max_size=40).map(
    lambda rows: [
        entry(offset, partition=partition, time=time, kind=kind)
        for offset, (partition, time, kind) in enumerate(rows)
    ]
)


@given(letters, st.integers(1, 7), st.sampled_from([None, *KINDS]))
def test_pages_neither_skip_nor_repeat_there_and_back(entries, limit, kind):
    index = filled(entries)
    wanted = sorted((one for one in entries if kind in (None, one.kind)), key=lambda one: one.key)[::-1]
    there = pages(index, limit=limit, kind=kind)
    assert [one for page in there for one in page.entries] == wanted
    cursor, back = there[-1].previous, [there[-1]]
    while cursor is not None:
        back.append(index.find(DeadLetterQuery(cursor=cursor, limit=limit, kind=kind)))
        cursor = back[-1].previous
    assert [one for page in back[::-1] for one in page.entries] == wanted


def test_what_comes_while_somebody_pages_moves_no_page():
    index = filled(entry(offset, time=offset) for offset in range(10))
    first = index.find(DeadLetterQuery(limit=4))
    index.add(entry(99, time=99))
    second = index.find(DeadLetterQuery(limit=4, cursor=first.next))
    assert [one.offset for one in second.entries] == [5, 4, 3, 2]
    newest = index.find(DeadLetterQuery(limit=4, cursor=first.previous or second.previous))
    assert {9, 8, 7, 6} == {one.offset for one in newest.entries}


def test_only_the_newest_are_listed_and_all_are_counted():
    index = filled((entry(offset, time=offset * HOUR) for offset in range(300)), most=100)
    assert (index.total, index.listed, index.kinds) == (300, 100, {"not-json": 300})
    assert index.find(DeadLetterQuery(limit=1)).entries[0].offset == 299
    assert len(index.hours) == 300


def test_what_kafka_deletes_is_left_out_of_list_and_counts():
    index = filled([entry(0), entry(1, kind="missing-field"), entry(2), entry(0, partition=1)])
    index.forget({0: 2})
    assert (index.total, index.kinds) == (2, {"not-json": 2})
    assert index.hours == [(0, "not-json", 2)]
    assert [one.place for one in index.find(DeadLetterQuery()).entries] == [(1, 0), (0, 2)]


def test_whoever_writes_any_kind_gets_no_memory_for_it():
    index = LetterIndex(1000)
    for number in range(200):
        index.add(entry(number, kind=index.kind_of(f"kind {number}")))
    assert (len(index.kinds), index.total) == (51, 200)


@pytest.mark.parametrize("cursor", ["x", "WzFd", "!", "W" * 1000])
def test_no_cursor_at_all_is_said_to_be_none(cursor):
    with pytest.raises(BadParameter, match="no cursor"):
        filled([entry(0)]).find(DeadLetterQuery(cursor=cursor))


def test_a_cursor_of_another_list_is_refused():
    index = filled(entry(offset) for offset in range(3))
    cursor = index.find(DeadLetterQuery(limit=1)).next
    with pytest.raises(BadParameter, match="another list"):
        index.find(DeadLetterQuery(limit=1, kind="not-json", cursor=cursor))

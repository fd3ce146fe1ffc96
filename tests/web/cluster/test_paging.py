"""Pages of several workers as one list: the same as one worker with all of it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from app.views.answers import Page
from app.views.cursor import decode, page
from app.web.cluster.paging import Part, merge_pages

BINDING = "b"


class Row(NamedTuple):
    """A key, and how many there are of it: workers may share a key."""

    key: int
    count: int


def key(row: Row) -> tuple[int]:
    return (row.key,)


def joined(rows: Iterable[Row]) -> list[Row]:
    counts: dict[int, int] = {}
    for row in rows:
        counts[row.key] = counts.get(row.key, 0) + row.count
    return [Row(*one) for one in counts.items()]


def ask(rows: list[Row], cursor: str | None, limit: int) -> Page[Row]:
    """One worker's page."""
    rows, at = sorted(rows), None if cursor is None else decode(cursor, BINDING, (int,))
    keys = [row.key for row in rows]
    if at is None:
        found = iter(rows)
    elif at.before:
        found = reversed(rows[: bisect_left(keys, at.key[0])])
    else:
        found = iter(rows[bisect_right(keys, at.key[0]) :])
    return page(found, key, limit, at, BINDING)


workers = st.lists(
    st.dictionaries(st.integers(0, 30), st.just(1), max_size=20).map(lambda d: [Row(*i) for i in d.items()]),
    min_size=1,
    max_size=4,
)


@given(workers, st.integers(1, 6))
def test_there_and_back_without_gaps(held: list[list[Row]], limit: int) -> None:
    whole = sorted(joined(row for rows in held for row in rows))

    def merged(cursor: str | None) -> Page[Row]:
        parts = [Part(*ask(rows, cursor, limit)) for rows in held]
        return merge_pages(parts, key=key, binding=BINDING, cursor=cursor, limit=limit, joined=joined)

    pages, cursor = [], None
    while True:
        pages.append(merged(cursor))
        assert pages[-1].rows == ask(whole, cursor, limit).rows
        cursor = pages[-1].next
        if cursor is None:
            break
    assert [row for one in pages for row in one.rows] == whole
    assert all(len(one.rows) == limit for one in pages[:-1])
    for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
        back = merged(later.previous)
        assert back.rows == earlier.rows
        assert (back.previous is None) == (earlier is pages[0])
        assert merged(back.next).rows == later.rows

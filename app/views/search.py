"""Lines by search, sorted and paged. Each partition gives its lines in order; they are merged.

Sorting all that fits and reading along an index until enough fits each have their bad cases. Where the named
students, outcomes or courses have few lines those are sorted; otherwise an index in the wanted order is read.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from heapq import merge
from typing import Any, Final, NamedTuple

from app.views.answers import Line, Order, Page, Scope, Search
from app.views.cursor import Cursor, decode, line_key, page, search_binding
from app.views.files import Reader
from app.views.layout import place_of
from app.views.selection import in_list, select
from app.views.statements import (
    BY_ASSESSED,
    BY_COURSE,
    BY_OUTCOME,
    BY_SCORE,
    BY_STUDENT,
    ORDERS,
    read_lines,
)

__all__ = ["search_lines"]

#: Lines that one question sorts rather than to read along an index: 3 us each.
_SORTED: Final = 12_000

_VALUE_KEY: Final = (int, float, str, str, int, str, int, str)
_KEYS: Final = {
    Order.STUDENT: (int, str, str, int, str, int, str),
    Order.OUTCOME: (int, str, int, str, str, str, int, str),
}

_Condition = tuple[str, Sequence[Any]]


def search_lines(readers: Sequence[Reader], search: Search, scope: Scope) -> Page[Line]:
    """Return a page of lines. Raises CursorUnfit."""
    binding = search_binding(search)
    cursor = None
    if search.cursor is not None:
        cursor = decode(search.cursor, binding, _KEYS.get(search.order, _VALUE_KEY))
    down = search.order.value.startswith("-") != (cursor is not None and cursor.before)
    most = max(1, _SORTED // max(1, len(readers)))
    parts = [_Partition(reader, search, scope, cursor, down=down).lines(most) for reader in readers]
    key = partial(line_key, search.order)
    return page(merge(*parts, key=key, reverse=down), key, search.limit, cursor, binding)


class _Partition:
    """One partition's lines of a search, from the cursor on in one direction."""

    def __init__(
        self, reader: Reader, search: Search, scope: Scope, cursor: Cursor | None, *, down: bool
    ) -> None:
        self._reader = reader
        self._search = search
        self._selection = select(reader, search, scope)
        self._cursor = cursor
        self._down = down
        self._after = "<" if down else ">"
        self._order = ORDERS[search.order]

    def lines(self, most: int) -> Iterator[Line]:
        """Lines in order, read as they are taken; up to `most` of them are sorted if that gives them all."""
        selection = self._selection
        if selection.empty:
            return iter(())
        if selection.students is not None:
            return self._sorted(BY_STUDENT, students="s.id")
        in_courses = selection.courses is not None and selection.course_lines <= most
        in_outcomes = selection.outcomes is not None and selection.outcome_lines <= most
        if in_courses and not (in_outcomes and selection.outcome_lines < selection.course_lines):
            return self._sorted(BY_COURSE, courses="l.course")
        if in_outcomes:
            return self._sorted(BY_OUTCOME, outcomes="l.outcome")
        if self._search.order is Order.STUDENT:
            return self._by_student()
        return self._by_outcome() if self._search.order is Order.OUTCOME else self._by_value()

    def _sorted(self, source: str, **columns: str) -> Iterator[Line]:
        wanted = [*self._wanted(**columns)]
        if self._search.order in {Order.STUDENT, Order.OUTCOME}:
            yield from self._read(source, [*wanted, *self._keyset(self._order)], self._order)
            return
        for segment in self._segments():
            yield from self._read(source, [*wanted, *segment.conditions], self._order)

    def _by_student(self) -> Iterator[Line]:
        place: list[_Condition] = []
        after: list[_Condition] = []
        if self._cursor is not None:
            user = self._cursor.key[1]
            place = [(f"l.place {self._after}= ?", (place_of(user),))]
            after = [(f"s.user {self._after}= ?", (user,))]
        keyset = [*self._keyset(self._order)]
        # One outcome, or one course, lies in the order of its students.
        if len(self._selection.outcomes or ()) == 1:
            wanted = self._wanted(outcomes="l.outcome")
            return self._read(BY_OUTCOME, [*wanted, *place, *keyset], ("l.place", *self._order))
        if len(self._selection.courses or ()) == 1:
            wanted = self._wanted(courses="l.course")
            return self._read(BY_COURSE, [*wanted, *place, *keyset], ("l.place", *self._order))
        return self._read(BY_STUDENT, [*self._wanted(), *after, *keyset], self._order)

    def _by_outcome(self) -> Iterator[Line]:
        titles = self._order[:4]
        conditions = [*in_list("o.id", self._selection.outcomes)]
        values: Sequence[Any] = ()
        if self._cursor is not None:
            values = self._cursor.key[:4]
            conditions.append(f"({', '.join(titles)}) {self._after}= (?, ?, ?, ?)")
        by = ", ".join(f"{part}{' DESC' if self._down else ''}" for part in (*titles, "a.account"))
        outcomes = self._reader.rows(
            "SELECT o.id FROM outcomes o INDEXED BY outcomes_by_title"
            " CROSS JOIN accounts a ON a.id = o.account"
            f" WHERE {' AND '.join(conditions) or '1'} ORDER BY {by}",
            *values,
        )
        rest = [*self._wanted(outcomes=""), *self._keyset(self._order)]
        for (number,) in outcomes:
            # Each for itself lies in the order of its students already.
            wanted = [(f"l.outcome = {number}", ()), *rest]
            yield from self._read(BY_OUTCOME, wanted, ("l.place", *self._order[5:]))

    def _by_value(self) -> Iterator[Line]:
        for segment in self._segments():
            wanted = [*self._wanted(), *segment.conditions]
            order = (*self._order[:1], "l.place", *self._order[1:])
            if segment.begins and self._cursor is not None and not segment.missing:
                value, user = self._cursor.key[1:3]
                wanted.append((f"({order[0]}, l.place) {self._after}= (?, ?)", (value, place_of(user))))
            if order[0] == "l.assessed":
                yield from self._read(BY_ASSESSED, wanted, order)
            elif segment.missing:
                yield from self._read(BY_SCORE, [("l.mastery IS NULL", ()), *wanted], order)
            else:
                yield from self._by_score(wanted, order)

    def _by_score(self, wanted: Sequence[_Condition], order: Sequence[str]) -> Iterator[Line]:
        mastered = self._search.mastered
        parts = [
            self._read(BY_SCORE, [(f"l.mastery = {number}", ()), *wanted], order)
            for number in ((0, 1) if mastered is None else (int(mastered),))
        ]
        return merge(*parts, key=partial(line_key, self._search.order), reverse=self._down)

    def _segments(self) -> Iterator["_Segment"]:
        """Lines with a value and those without, which come last whatever the order; from the cursor on."""
        column, ids = self._order[0], self._order[1:]
        descending = self._search.order.value.startswith("-")
        sequence = [True, False] if self._down != descending else [False, True]
        begin = None
        if self._cursor is not None:
            begin = (self._cursor.key[0] == 1) != descending
            sequence = sequence[sequence.index(begin) :]
        for missing in sequence:
            conditions: list[_Condition] = [(f"{column} IS {'' if missing else 'NOT '}NULL", ())]
            if missing is begin:
                conditions += self._keyset(ids if missing else self._order)
            yield _Segment(conditions, missing=missing, begins=missing is begin)

    def _read(self, source: str, conditions: Sequence[_Condition], order: Sequence[str]) -> Iterator[Line]:
        limit = self._search.limit + 1
        return read_lines(self._reader, source, conditions, order, down=self._down, limit=limit)

    def _wanted(
        self, *, students: str = "", outcomes: str = "+l.outcome", courses: str = "+l.course"
    ) -> Iterator[_Condition]:
        """The conditions on lines; those on numbers by the columns given, none for ""."""
        selection, search = self._selection, self._search
        for column, numbers in (
            (students, selection.students),
            (outcomes, selection.outcomes),
            (courses, selection.courses),
        ):
            if column:
                yield from ((text, ()) for text in in_list(column, numbers))
        if search.mastered is not None:
            yield "+l.mastery = ?", (int(search.mastered),)
        if search.score_from is not None:
            yield "l.score >= ?", (search.score_from,)
        if search.score_to is not None:
            yield "l.score <= ?", (search.score_to,)

    def _keyset(self, order: Sequence[str]) -> Iterator[_Condition]:
        """The condition to come after the cursor, whose key ends with the parts of this order."""
        if self._cursor is not None:
            marks = ", ".join("?" * len(order))
            yield f"({', '.join(order)}) {self._after} ({marks})", self._cursor.key[-len(order) :]


class _Segment(NamedTuple):
    """Lines with a value, or those where it is missing. `begins`: the cursor is in it."""

    conditions: list[_Condition]
    missing: bool
    begins: bool

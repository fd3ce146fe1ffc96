"""Brings changed rows into a view's tables, and keeps what is counted of them exact."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from app.mastery.row import Row
from app.mastery.snapshot import RowKey
from app.views.layout import NO_SCORE, RECENT, place_of
from app.views.lines import StoredLine, basis_of, hundredths, lines_of
from app.views.names import Names

__all__ = ["ChangedRow", "Writer"]

_OF_ROW: Final = (
    "SELECT course, score, mastery, results, assessed, overall, overall_mastery, basis, flags, changed_at"
    " FROM lines WHERE outcome = ? AND place = ? AND student = ?"
)
_KEY: Final = "WHERE outcome = ? AND place = ? AND student = ? AND course = ?"
_INSERT: Final = f"INSERT INTO lines VALUES ({', '.join('?' * 13)})"
_DELETE: Final = f"DELETE FROM lines {_KEY}"
# SQLite writes an index anew whose columns are set, to whatever: so they are set only where they change.
_REST: Final = "results = ?, overall = ?, overall_mastery = ?, basis = ?, flags = ?, changed_at = ?"
_UPDATE: Final = f"UPDATE lines SET {_REST} {_KEY}"
_UPDATE_ASSESSED: Final = f"UPDATE lines SET {_REST}, assessed = ? {_KEY}"
_UPDATE_ALL: Final = f"UPDATE lines SET {_REST}, assessed = ?, score = ?, mastery = ? {_KEY}"
_IN_COURSE: Final = (
    "SELECT EXISTS (SELECT 1 FROM lines INDEXED BY lines_by_course"
    " WHERE course = ? AND place = ? AND student = ?)"
)
_ANYWHERE: Final = "SELECT EXISTS (SELECT 1 FROM lines INDEXED BY lines_by_student WHERE student = ?)"
_COUNT_OUTCOME: Final = (
    "UPDATE outcomes SET row_count = row_count + ?, scored = scored + ?, mastered = mastered + ?,"
    " hundredths = hundredths + ? WHERE id = ?"
)
_COUNT_PAIR: Final = (
    "INSERT INTO pairs (line_count, scored, mastered, hundredths, course, outcome) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET line_count = line_count + excluded.line_count,"
    " scored = scored + excluded.scored, mastered = mastered + excluded.mastered,"
    " hundredths = hundredths + excluded.hundredths"
)
_COUNT_SCORE: Final = (
    "INSERT INTO scores (row_count, outcome, basis, hundredths) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET row_count = row_count + excluded.row_count"
)
_RECENT: Final = "INSERT OR REPLACE INTO recent VALUES (?, ?, ?)"
_TRIM: Final = (
    "DELETE FROM recent WHERE (outcome, student) IN (SELECT outcome, student FROM recent"
    f" ORDER BY changed_at DESC LIMIT -1 OFFSET {RECENT})"
)


class ChangedRow(NamedTuple):
    """The present state of a row; None when it is deleted. `changed_at` in milliseconds since 1970."""

    key: RowKey
    row: Row | None
    changed_at: int


_K = TypeVar("_K")
_LineKey = tuple[int, int, int, int]


@dataclass(slots=True)
class _Work:
    """What a batch does, before it is done."""

    inserts: list[tuple[Any, ...]] = field(default_factory=list)
    updates: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)
    deletes: list[_LineKey] = field(default_factory=list)
    outcomes: dict[int, list[int]] = field(default_factory=dict)
    pairs: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    scores: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    recent: list[tuple[int, int, int]] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    """Outcome and student of deleted rows."""
    moved: set[tuple[int, int, int]] = field(default_factory=set)
    """Course, place and student of lines that come or go."""

    def plan(
        self, row: tuple[int, int, int], old: Mapping[int, StoredLine], new: Mapping[int, StoredLine]
    ) -> None:
        """Put new lines into the place of old ones; both by course. `row` begins their keys."""
        _, place, student = row
        for course in old.keys() - new.keys():
            self.deletes.append((*row, course))
            self.moved.add((course, place, student))
        for course, line in new.items():
            before = old.get(course)
            if before is None:
                self.inserts.append((*row, course, *line))
                self.moved.add((course, place, student))
            elif before != line:
                statement, values = _update(before, line)
                self.updates.setdefault(statement, []).append((*values, *row, course))

    def count(self, outcome: int, lines: Mapping[int, StoredLine], sign: int) -> None:
        """Add the lines of a row to what is counted, or with -1 take them out."""
        for course, line in lines.items():
            _add(self.pairs, (course, outcome), sign, line.score, line.mastery)
        for line in islice(lines.values(), 1):
            _add(self.outcomes, outcome, sign, line.overall, line.overall_mastery)
            score = NO_SCORE if line.overall is None else hundredths(line.overall)
            self.scores[outcome, line.basis, score] += sign


class Writer:
    """Applies batches within the transaction of whoever calls."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._names = Names(db)

    def forget(self) -> None:
        """To be called after a rollback."""
        self._names.forget()

    def apply(self, rows: Iterable[ChangedRow], *, counting: bool) -> bool:
        """Bring rows, each key at most once, in; return whether a student has vanished.

        Without `counting` lines alone are written, as long as there are no indexes: see layout.COUNTED.
        """
        work = _Work()
        for changed in rows:
            self._plan(changed, work, counting=counting)
        if not counting:
            self._write(work)
            return False
        before = self._courses_of(work.moved)
        self._write(work)
        for student, was in before.items():
            if (now := self._is_in(student)) != was:
                change = "UPDATE courses SET students = students + ? WHERE id = ?"
                self._db.execute(change, (int(now) - int(was), student[0]))
        self._count(work)
        return self._clear(work)

    def _plan(self, changed: ChangedRow, work: _Work, *, counting: bool) -> None:
        key, row, names = changed.key, changed.row, self._names
        student = names.student(key.root_account_uuid, key.user_uuid, make=row is not None)
        if row is None:
            outcome = names.outcome(key.root_account_uuid, key.learning_outcome_id)
        else:
            outcome = names.titled_outcome(key.root_account_uuid, key.learning_outcome_id, row.outcome_title)
        if student is None or outcome is None:
            return
        place = place_of(key.user_uuid)
        found = self._db.execute(_OF_ROW, (outcome, place, student))
        old = {course: StoredLine._make(rest) for course, *rest in found}
        new: dict[int, StoredLine] = {}
        if row is not None:
            lines = lines_of(row, names.basis(basis_of(row)), changed.changed_at)
            new = {names.course(key.root_account_uuid, course): line for course, line in lines.items()}
            work.recent.append((outcome, student, changed.changed_at))
        elif old:
            work.gone.append((outcome, student))
        work.plan((outcome, place, student), old, new)
        if counting:
            work.count(outcome, old, -1)
            work.count(outcome, new, 1)

    def _write(self, work: _Work) -> None:
        self._db.executemany(_DELETE, work.deletes)
        for statement, values in work.updates.items():
            self._db.executemany(statement, values)
        self._db.executemany(_INSERT, sorted(work.inserts, key=itemgetter(0, 1, 2, 3)))

    def _count(self, work: _Work) -> None:
        self._db.executemany(
            _COUNT_OUTCOME, [(*by, outcome) for outcome, by in work.outcomes.items() if any(by)]
        )
        self._db.executemany(_COUNT_PAIR, [(*by, *pair) for pair, by in work.pairs.items() if any(by)])
        scores = [(by, *score) for score, by in work.scores.items() if by]
        self._db.executemany(_COUNT_SCORE, scores)
        fewer = [score for by, *score in scores if by < 0]
        none_left = "DELETE FROM scores WHERE outcome = ? AND basis = ? AND hundredths = ? AND row_count = 0"
        self._db.executemany(none_left, fewer)
        self._db.executemany("DELETE FROM recent WHERE outcome = ? AND student = ?", work.gone)
        newest = sorted(work.recent, key=itemgetter(2))[-RECENT:]
        self._db.executemany(_RECENT, newest)
        if newest:
            self._db.execute(_TRIM)

    def _clear(self, work: _Work) -> bool:
        """Take out names of what has no line any more; return whether a student was among them."""
        if not work.deletes:
            return False
        # Each by its key: nothing is searched for.
        pairs = [(course, outcome) for course, outcome in work.pairs]
        self._db.executemany("DELETE FROM pairs WHERE course = ? AND outcome = ? AND line_count = 0", pairs)
        self._db.executemany("DELETE FROM outcomes WHERE id = ? AND row_count = 0", _ones(work.outcomes))
        courses = {course for course, _ in work.pairs}
        self._db.executemany("DELETE FROM courses WHERE id = ? AND students = 0", _ones(courses))
        gone = [
            student
            for student in {student for _, student in work.gone}
            if self._db.execute(_ANYWHERE, (student,)).fetchone() == (0,)
        ]
        self._db.executemany("DELETE FROM students WHERE id = ?", _ones(gone))
        self._names.forget()
        return bool(gone)

    def _courses_of(self, moved: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], bool]:
        return {student: self._is_in(student) for student in moved}

    def _is_in(self, student: tuple[int, int, int]) -> bool:
        return bool(self._db.execute(_IN_COURSE, student).fetchone()[0])


def _update(before: StoredLine, line: StoredLine) -> tuple[str, tuple[object, ...]]:
    """The cheapest statement, and the values that it sets."""
    rest = (line.results, line.overall, line.overall_mastery, line.basis, line.flags, line.changed_at)
    if (before.score, before.mastery) != (line.score, line.mastery):
        return _UPDATE_ALL, (*rest, line.assessed, line.score, line.mastery)
    if before.assessed != line.assessed:
        return _UPDATE_ASSESSED, (*rest, line.assessed)
    return _UPDATE, rest


def _add(counts: dict[_K, list[int]], key: _K, sign: int, score: float | None, mastery: int | None) -> None:
    held = counts.setdefault(key, [0, 0, 0, 0])
    held[0] += sign
    if score is not None:
        held[1] += sign
        held[2] += sign * (mastery or 0)
        held[3] += sign * hundredths(score)


def _ones(numbers: Iterable[int]) -> Iterator[tuple[int]]:
    return ((number,) for number in numbers)

"""Courses: lists, numbers, and the students of one with their lines."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import groupby
from operator import add
from typing import Any, Final, NamedTuple

from app.mastery.snapshot import RowKey
from app.views.answers import CourseGrid, CourseStats, Line, Order, OutcomeStats, Page, Scope
from app.views.cursor import bound_to, decode, fold, line_key, page
from app.views.files import Reader
from app.views.layout import place_of
from app.views.outcomes import stats_key
from app.views.selection import accounts_of
from app.views.statements import BY_COURSE, read_lines

__all__ = ["course_grid", "course_stats", "list_courses"]

_KEY: Final = (str, int, str)
_STUDENT_KEY: Final = (str,)


_STATS: Final = (
    "SELECT c.students, o.outcome, o.title, p.line_count, p.scored, p.mastered, p.hundredths"
    " FROM courses c CROSS JOIN pairs p ON p.course = c.id CROSS JOIN outcomes o ON o.id = p.outcome"
    " WHERE c.course = ? AND c.account = (SELECT id FROM accounts WHERE account = ?)"
)


#: The same without the outcomes one by one: a page of courses has thousands of them.
_SUMS: Final = (
    "SELECT c.students, sum(p.scored), sum(p.mastered), json_group_array(o.outcome)"
    " FROM courses c CROSS JOIN pairs p ON p.course = c.id CROSS JOIN outcomes o ON o.id = p.outcome"
    " WHERE c.course = ? AND c.account = (SELECT id FROM accounts WHERE account = ?) GROUP BY c.id"
)


class _Student(NamedTuple):
    user: str
    reader: Reader
    number: int


def list_courses(
    readers: Sequence[Reader], account: str | None, scope: Scope, cursor: str | None, limit: int
) -> Page[CourseStats]:
    """Return a page of courses that have lines. Raises CursorUnfit."""
    binding = bound_to("courses", account)
    start = None if cursor is None else decode(cursor, binding, _KEY)
    down = start is not None and start.before
    after = None if start is None else start.key
    keys = [_keys(reader, account, scope, after, down=down) for reader in readers]

    merged = (key for key, _ in groupby(merge(*keys, reverse=down)))
    found = page(merged, lambda key: key, limit, start, binding)
    stats = (_sums(readers, key[0], key[2]) for key in found.rows)
    return Page(tuple(stats), found.next, found.previous)


def course_stats(
    readers: Sequence[Reader], course: str, account: str | None, scope: Scope
) -> list[CourseStats]:
    """Return a course's numbers, by root account."""
    accounts = {
        name
        for reader in readers
        for (name,) in reader.rows(
            "SELECT a.account FROM courses c JOIN accounts a ON a.id = c.account WHERE c.course = ?", course
        )
        if account in (None, name) and _visible(name, course, scope)
    }
    return [stats for stats, _ in _stats(readers, [(name, course) for name in sorted(accounts)])]


def course_grid(
    readers: Sequence[Reader], account: str, course: str, scope: Scope, cursor: str | None, limit: int
) -> CourseGrid | None:
    """Return a page of a course's students with their lines. Raises CursorUnfit."""
    binding = bound_to("course", account, course)
    start = None if cursor is None else decode(cursor, binding, _STUDENT_KEY)
    found = _stats(readers, [(account, course)]) if _visible(account, course, scope) else []
    if not found:
        return None
    [stats] = found
    down = start is not None and start.before
    after = None if start is None else start.key[0]
    users = [
        _students(reader, number, after, down=down, limit=limit + 1)
        for reader, number in _numbers(readers, account, course)
    ]
    students = page(merge(*users, key=_user, reverse=down), lambda one: (one.user,), limit, start, binding)
    numbers = {reader.partition: number for reader, number in _numbers(readers, account, course)}
    cells = tuple(
        (RowKey(account, one.user, ""), _cells(one, numbers[one.reader.partition])) for one in students.rows
    )
    return CourseGrid(*stats, Page(cells, students.next, students.previous))


def _user(student: _Student) -> str:
    return student.user


def _visible(account: str, course: str, scope: Scope) -> bool:
    return (scope.accounts is None or account in scope.accounts) and (
        scope.courses is None or course in scope.courses
    )


def _keys(
    reader: Reader, account: str | None, scope: Scope, start: tuple[Any, ...] | None, *, down: bool
) -> Iterator[tuple[str, int, str]]:
    kept = accounts_of(reader, account, scope)
    accounts = reader.rows(f"SELECT id, account FROM accounts ORDER BY account {'DESC' if down else ''}")
    direction, after = ("DESC", "<") if down else ("", ">")
    for number, name in list(accounts):
        if kept is not None and number not in kept:
            continue
        condition = "1"
        values: tuple[Any, ...] = ()
        if start is not None:
            if (name > start[0]) if down else (name < start[0]):
                continue
            if name == start[0]:
                condition, values = f"(length(course), course) {after} (?, ?)", start[1:]
        found = reader.rows(
            "SELECT length(course), course FROM courses INDEXED BY courses_by_id"
            f" WHERE account = ? AND course <> '' AND {condition}"
            f" ORDER BY length(course) {direction}, course {direction}",
            number,
            *values,
        )
        for length, course in found:
            if scope.courses is None or course in scope.courses:
                yield name, length, course


def _numbers(readers: Sequence[Reader], account: str, course: str) -> Iterator[tuple[Reader, int]]:
    for reader in readers:
        found = reader.row(
            "SELECT c.id FROM courses c JOIN accounts a ON a.id = c.account"
            " WHERE c.course = ? AND a.account = ?",
            course,
            account,
        )
        if found is not None:
            yield reader, found[0]


def _sums(readers: Sequence[Reader], account: str, course: str) -> CourseStats:
    students = scored = mastered = 0
    outcomes: set[str] = set()
    for reader in readers:
        found = reader.row(_SUMS, course, account)
        if found is not None:
            students, scored, mastered = students + found[0], scored + found[1], mastered + found[2]
            outcomes.update(json.loads(found[3]))
    return CourseStats(account, course, students, frozenset(outcomes), scored, mastered)


def _stats(
    readers: Sequence[Reader], courses: Sequence[tuple[str, str]]
) -> list[tuple[CourseStats, tuple[OutcomeStats, ...]]]:
    """Numbers of courses, by account and id, and of each one's outcomes, by title; none without lines."""
    students: Counter[tuple[str, str]] = Counter()
    outcomes: dict[tuple[str, str], dict[str, OutcomeStats]] = {course: {} for course in courses}
    for reader in readers:
        for course in courses:
            account, name = course
            found = reader.rows(_STATS, name, account)
            for number, (here, outcome, title, *counts) in enumerate(found):
                if number == 0:
                    students[course] += here
                held = outcomes[course].get(outcome)
                outcomes[course][outcome] = _sum(held, OutcomeStats(account, outcome, title, *counts))
    numbers = []
    for course, columns in outcomes.items():
        # Whole hundredths until now: their sum is exact.
        by_title = sorted((one._replace(total=one.total / 100) for one in columns.values()), key=stats_key)
        if by_title:
            scored, mastered = sum(one.scored for one in by_title), sum(one.mastered for one in by_title)
            stats = CourseStats(*course, students[course], frozenset(columns), scored, mastered)
            numbers.append((stats, tuple(by_title)))
    return numbers


def _sum(one: OutcomeStats | None, other: OutcomeStats) -> OutcomeStats:
    if one is None:
        return other
    account, outcome, title, *counts = other
    if title != one.outcome_title:
        # While a title changes, partitions may differ.
        title = min(filter(None, (title, one.outcome_title)), key=fold, default=title)
    return OutcomeStats(account, outcome, title, *map(add, counts, one[3:]))


def _students(
    reader: Reader, course: int, after: str | None, *, down: bool, limit: int
) -> Iterator[_Student]:
    direction, sign = ("DESC", "<") if down else ("", ">")
    condition = "1"
    values: tuple[Any, ...] = ()
    if after is not None:
        condition, values = f"l.place {sign}= ? AND s.user {sign} ?", (place_of(after), after)
    found = reader.rows(
        "SELECT DISTINCT l.place, s.user, l.student FROM lines l INDEXED BY lines_by_course"
        f" CROSS JOIN students s ON s.id = l.student WHERE l.course = ? AND {condition}"
        f" ORDER BY l.place {direction}, s.user {direction} LIMIT ?",
        course,
        *values,
        limit,
    )
    for _, user, number in found:
        yield _Student(user, reader, number)


def _cells(student: _Student, course: int) -> tuple[Line, ...]:
    key = ("l.course = ? AND l.place = ? AND l.student = ?", (course, place_of(student.user), student.number))
    lines = read_lines(student.reader, BY_COURSE, [key], ("l.outcome",), down=False, limit=-1)
    return tuple(sorted(lines, key=partial(line_key, Order.OUTCOME)))

"""Courses: lists, numbers, and the students of one with their lines."""

from collections.abc import Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import groupby
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

    def found() -> Iterator[CourseStats]:
        for key, _ in groupby(merge(*keys, reverse=down)):
            stats = _stats(readers, key[0], key[2])
            if stats is not None:
                yield stats[0]

    return page(found(), _stats_key, limit, start, binding)


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
    found = (_stats(readers, name, course) for name in sorted(accounts))
    return [stats[0] for stats in found if stats is not None]


def course_grid(
    readers: Sequence[Reader], account: str, course: str, scope: Scope, cursor: str | None, limit: int
) -> CourseGrid | None:
    """Return a page of a course's students with their lines. Raises CursorUnfit."""
    binding = bound_to("course", account, course)
    start = None if cursor is None else decode(cursor, binding, _STUDENT_KEY)
    stats = _stats(readers, account, course) if _visible(account, course, scope) else None
    if stats is None:
        return None
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


def _stats_key(stats: CourseStats) -> tuple[Any, ...]:
    return stats.root_account_uuid, len(stats.course_id), stats.course_id


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


def _stats(
    readers: Sequence[Reader], account: str, course: str
) -> tuple[CourseStats, tuple[OutcomeStats, ...]] | None:
    """A course's numbers of all partitions, and those of its outcomes, by title; None without lines."""
    students = 0
    outcomes: dict[str, OutcomeStats] = {}
    for reader, number in _numbers(readers, account, course):
        students += reader.row("SELECT students FROM courses WHERE id = ?", number)[0]
        found = reader.rows(
            "SELECT o.outcome, o.title, p.line_count, p.scored, p.mastered, p.hundredths"
            " FROM pairs p JOIN outcomes o ON o.id = p.outcome WHERE p.course = ?",
            number,
        )
        for outcome, title, lines, scored, mastered, hundredths in found:
            held = outcomes.get(outcome) or OutcomeStats(account, outcome, title, 0, 0, 0, 0)
            titles = [one for one in (title, held.outcome_title) if one is not None]
            outcomes[outcome] = OutcomeStats(
                account,
                outcome,
                min(titles, key=fold, default=None),
                held.rows + lines,
                held.scored + scored,
                held.mastered + mastered,
                # Whole hundredths until the end: their sum is exact.
                held.total + hundredths,
            )
    if not outcomes:
        return None
    columns = [stats._replace(total=stats.total / 100) for stats in outcomes.values()]
    columns.sort(key=stats_key)
    scored, mastered = sum(one.scored for one in columns), sum(one.mastered for one in columns)
    course_numbers = CourseStats(account, course, students, frozenset(outcomes), scored, mastered)
    return course_numbers, tuple(columns)


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

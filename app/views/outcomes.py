"""Outcomes: lists, numbers, distributions. Numbers of all partitions are added up."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge, nsmallest
from itertools import groupby
from typing import Any, Final

from app.views.answers import Line, OutcomeScore, OutcomeStats, Page, Scope, Search
from app.views.cursor import bound_to, decode, fold, page
from app.views.files import Reader
from app.views.layout import NO_SCORE, WHOLE
from app.views.selection import in_list, select
from app.views.statements import BY_OUTCOME, read_lines

__all__ = [
    "list_outcomes",
    "near_mastery",
    "outcome_courses",
    "outcome_scores",
    "outcome_stats",
    "stats_key",
]

_KEY: Final = (int, str, int, str, str)
_PARTS: Final = "o.title IS NULL", "o.folded", "length(o.outcome)", "o.outcome", "a.account"


def stats_key(stats: OutcomeStats) -> tuple[Any, ...]:
    """What lists of outcomes are sorted by: title in any case, those without last; then id and account."""
    title, outcome = stats.outcome_title, stats.learning_outcome_id
    return (int(title is None), fold(title or ""), len(outcome), outcome, stats.root_account_uuid)


def list_outcomes(
    readers: Sequence[Reader],
    text: str | None,
    account: str | None,
    scope: Scope,
    cursor: str | None,
    limit: int,
) -> Page[OutcomeStats]:
    """Return a page of outcomes that have rows. Raises CursorUnfit."""
    binding = bound_to("outcomes", text, account)
    start = None if cursor is None else decode(cursor, binding, _KEY)
    down = start is not None and start.before
    keys = [
        _keys(
            reader,
            Search(account=account, outcome=text),
            scope,
            None if start is None else start.key,
            down=down,
        )
        for reader in readers
    ]

    def found() -> Iterator[OutcomeStats]:
        for key, _ in groupby(merge(*keys, reverse=down)):
            stats = _stats(readers, key[4], key[3], scope)
            # While a title changes, partitions may differ: an outcome stands where the first of them says.
            if stats is not None and stats_key(stats) == key:
                yield stats

    return page(found(), stats_key, limit, start, binding)


def outcome_stats(
    readers: Sequence[Reader], outcome: str, account: str | None, scope: Scope
) -> list[OutcomeStats]:
    """Return an outcome's numbers, by root account."""
    accounts = {
        name
        for reader in readers
        for (name,) in reader.rows(
            "SELECT a.account FROM outcomes o JOIN accounts a ON a.id = o.account WHERE o.outcome = ?",
            outcome,
        )
        if account in (None, name) and (scope.accounts is None or name in scope.accounts)
    }
    found = (_stats(readers, name, outcome, scope) for name in sorted(accounts))
    return [stats for stats in found if stats is not None]


def outcome_scores(
    readers: Sequence[Reader], account: str, outcome: str, scope: Scope
) -> Counter[OutcomeScore]:
    """Count the overall scores of an outcome; with courses in scope those of the courses."""
    scores: Counter[OutcomeScore] = Counter()
    for reader, number in _numbers(readers, account, outcome, scope):
        courses = _courses(reader, scope)
        if courses is None:
            found = reader.rows(
                f"SELECT nullif(g.hundredths, {NO_SCORE}) / 100.0, g.hundredths / 100.0 >= b.mastery_points,"
                " b.rating, g.row_count FROM scores g JOIN bases b ON b.id = g.basis WHERE g.outcome = ?",
                number,
            )
        else:
            found = reader.rows(
                "WITH g (score, mastery, basis, number) AS (SELECT l.score, l.mastery,"
                f" CASE WHEN l.flags & {WHOLE} THEN l.basis END, count(*) FROM lines l"
                f" WHERE l.outcome = ? AND {' AND '.join(in_list('l.course', courses))} GROUP BY 1, 2, 3)"
                " SELECT g.score, g.mastery, b.rating, g.number FROM g LEFT JOIN bases b ON b.id = g.basis",
                number,
            )
        for score, mastery, rating, count in found:
            known = None if score is None else bool(mastery)
            scores[OutcomeScore(score, known, rating)] += count
    return scores


def outcome_courses(
    readers: Sequence[Reader], account: str, outcome: str, scope: Scope, limit: int
) -> list[str]:
    """Return ids of courses with lines of an outcome, in order of the ids."""
    found: set[str] = set()
    for reader, number in _numbers(readers, account, outcome, scope):
        found.update(
            course
            for (course,) in reader.rows(
                "SELECT c.course FROM pairs p JOIN courses c ON c.id = p.course"
                " WHERE p.outcome = ? AND c.course <> ''",
                number,
            )
            if scope.courses is None or course in scope.courses
        )
    return sorted(found, key=lambda course: (len(course), course))[:limit]


def near_mastery(
    readers: Sequence[Reader], account: str, outcome: str, scope: Scope, limit: int
) -> list[Line]:
    """Return the lines of an outcome with the highest scores that are not mastery."""
    lines: list[Line] = []
    for reader, number in _numbers(readers, account, outcome, scope):
        # Found first, named then: most of an outcome's lines may be below mastery.
        courses = in_list("course", _courses(reader, scope))
        condition = " AND ".join(["outcome = ?", "mastery = 0", *courses])
        best = reader.rows(
            f"SELECT place, student, course FROM lines WHERE {condition} ORDER BY score DESC, place LIMIT ?",
            number,
            limit,
        )
        for place in list(best):
            key = (f"l.outcome = {number} AND l.place = ? AND l.student = ? AND l.course = ?", place)
            lines += read_lines(reader, BY_OUTCOME, [key], ("l.place",), down=False, limit=1)
    return nsmallest(
        limit, lines, key=lambda line: (-(line.score or 0), line.user_uuid, line.course_id or "")
    )


def _keys(
    reader: Reader, search: Search, scope: Scope, start: tuple[Any, ...] | None, *, down: bool
) -> Iterator[tuple[Any, ...]]:
    selection = select(reader, search, scope)
    if selection.empty:
        return
    conditions = [*in_list("o.id", selection.outcomes), *_with_courses(selection.courses)]
    values: tuple[Any, ...] = ()
    if start is not None:
        conditions.append(f"({', '.join(_PARTS)}) {'<' if down else '>'} (?, ?, ?, ?, ?)")
        values = start
        # The same again, for the index alone.
        conditions.append(f"({', '.join(_PARTS[:4])}) {'<' if down else '>'}= (?, ?, ?, ?)")
        values += start[:4]
    by = ", ".join(f"{part}{' DESC' if down else ''}" for part in _PARTS)
    yield from reader.rows(
        f"SELECT {', '.join(_PARTS)} FROM outcomes o INDEXED BY outcomes_by_title"
        f" CROSS JOIN accounts a ON a.id = o.account WHERE {' AND '.join(conditions) or '1'} ORDER BY {by}",
        *values,
    )


def _with_courses(courses: Iterable[int] | None) -> list[str]:
    if courses is None:
        return []
    [some] = in_list("p.course", list(courses))
    return [f"EXISTS (SELECT 1 FROM pairs p WHERE p.outcome = o.id AND {some})"]


def _numbers(
    readers: Sequence[Reader], account: str, outcome: str, scope: Scope
) -> Iterator[tuple[Reader, int]]:
    """Partitions that have the outcome, with its number there."""
    if scope.accounts is None or account in scope.accounts:
        for reader in readers:
            found = reader.row(
                "SELECT o.id FROM outcomes o JOIN accounts a ON a.id = o.account"
                " WHERE o.outcome = ? AND a.account = ?",
                outcome,
                account,
            )
            if found is not None:
                yield reader, found[0]


def _courses(reader: Reader, scope: Scope) -> list[int] | None:
    return select(reader, Search(), Scope(None, scope.courses)).courses


def _stats(readers: Sequence[Reader], account: str, outcome: str, scope: Scope) -> OutcomeStats | None:
    """An outcome's numbers of all partitions; None where nothing of it is in scope."""
    titles: list[tuple[bool, str, str | None]] = []
    total = [0, 0, 0, 0]
    for reader, number in _numbers(readers, account, outcome, scope):
        title, *counts = reader.row(
            "SELECT title, row_count, scored, mastered, hundredths FROM outcomes WHERE id = ?", number
        )
        courses = _courses(reader, scope)
        if courses is not None:
            condition = " AND ".join(["outcome = ?", *in_list("course", courses)])
            counts = reader.row(
                "SELECT ifnull(sum(line_count), 0), ifnull(sum(scored), 0), ifnull(sum(mastered), 0),"
                f" ifnull(sum(hundredths), 0) FROM pairs WHERE {condition}",
                number,
            )
        if counts[0]:
            titles.append((title is None, fold(title or ""), title))
            total = [one + more for one, more in zip(total, counts, strict=True)]
    if not titles:
        return None
    rows, scored, mastered, hundredths = total
    first = min(titles, key=lambda title: title[:2])
    return OutcomeStats(account, outcome, first[2], rows, scored, mastered, hundredths / 100)

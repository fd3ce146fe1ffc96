"""The statements that read lines of one partition, in each order."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from app.views.answers import Line, Order
from app.views.files import Reader
from app.views.layout import WHOLE

__all__ = [
    "BY_ASSESSED",
    "BY_COURSE",
    "BY_OUTCOME",
    "BY_SCORE",
    "BY_STUDENT",
    "ORDERS",
    "read_lines",
    "to_line",
]

_COLUMNS: Final = (
    "SELECT a.account, s.user, o.outcome, o.title, c.course, l.score, l.mastery, l.flags, l.results,"
    " l.assessed, l.overall, l.overall_mastery, b.rating, b.mastery_points, b.points_possible, b.method,"
    " b.n, b.state, l.changed_at"
)
_NAMES: Final = (
    " CROSS JOIN outcomes o ON o.id = l.outcome CROSS JOIN courses c ON c.id = l.course"
    " CROSS JOIN bases b ON b.id = l.basis"
)
_STUDENT: Final = " CROSS JOIN students s ON s.id = l.student CROSS JOIN accounts a ON a.id = s.account"

#: Where lines are found. CROSS JOIN keeps SQLite to the order of the tables; `+` keeps it from an index.
BY_OUTCOME: Final = f"FROM lines l{_STUDENT}{_NAMES}"
BY_SCORE: Final = f"FROM lines l INDEXED BY lines_by_score{_STUDENT}{_NAMES}"
BY_ASSESSED: Final = f"FROM lines l INDEXED BY lines_by_assessed{_STUDENT}{_NAMES}"
BY_COURSE: Final = f"FROM lines l INDEXED BY lines_by_course{_STUDENT}{_NAMES}"
BY_STUDENT: Final = (
    "FROM students s CROSS JOIN accounts a ON a.id = s.account"
    f" CROSS JOIN lines l INDEXED BY lines_by_student ON l.student = s.id{_NAMES}"
)

_IDS: Final = ("s.user", "a.account", "length(o.outcome)", "o.outcome", "length(c.course)", "c.course")

#: What lines are sorted by, in the parts of app.views.cursor.line_key behind the first of values.
ORDERS: Final = {
    Order.STUDENT: _IDS,
    Order.OUTCOME: (
        "o.title IS NULL",
        "o.folded",
        "length(o.outcome)",
        "o.outcome",
        "a.account",
        "s.user",
        "length(c.course)",
        "c.course",
    ),
    Order.SCORE: ("l.score", *_IDS),
    Order.SCORE_DOWN: ("l.score", *_IDS),
    Order.ASSESSED: ("l.assessed", *_IDS),
    Order.ASSESSED_DOWN: ("l.assessed", *_IDS),
}


def read_lines(
    reader: Reader,
    source: str,
    conditions: Sequence[tuple[str, Sequence[Any]]],
    order: Sequence[str],
    *,
    down: bool,
    limit: int,
) -> Iterator[Line]:
    """Read lines that meet all conditions, each with its values, in an order."""
    where = " AND ".join(text for text, _ in conditions) or "1"
    direction = " DESC" if down else ""
    by = ", ".join(f"{part}{direction}" for part in order)
    values = [value for _, some in conditions for value in some]
    found = reader.rows(f"{_COLUMNS} {source} WHERE {where} ORDER BY {by} LIMIT ?", *values, limit)
    return map(to_line, found)


def to_line(found: Sequence[Any]) -> Line:
    """The line of a row of columns."""
    (account, user, outcome, title, course, score, mastery, flags, results, assessed, *rest) = found
    (overall, overall_mastery, rating, points, possible, method, n, state, changed_at) = rest
    return Line(
        account,
        user,
        outcome,
        title,
        course or None,
        score,
        None if mastery is None else bool(mastery),
        rating if flags & WHOLE else None,
        results,
        None if assessed is None else assessed / 1000,
        overall,
        None if overall_mastery is None else bool(overall_mastery),
        rating,
        points,
        possible,
        method,
        n,
        state,
        changed_at / 1000,
    )

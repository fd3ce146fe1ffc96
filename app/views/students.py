"""One student's rows, what changed last, and how much there is."""

import json
from collections.abc import Iterator, Sequence

from app.mastery.snapshot import RowKey
from app.views.answers import EVERYTHING, Change, Counts, Scope, Search
from app.views.files import Reader
from app.views.layout import RECENT
from app.views.selection import in_list, select

__all__ = ["count_rows", "keys_of_user", "recent_changes"]


def keys_of_user(readers: Sequence[Reader], user: str, scope: Scope) -> list[RowKey]:
    """Return the keys of a student's rows that have a line in scope."""
    found: set[RowKey] = set()
    for reader in readers:
        # All rows of a student in one root account are in one partition, and most students are in one.
        if reader.row("SELECT 1 FROM students WHERE user = ?", user) is None:
            continue
        courses = select(reader, Search(), Scope(None, scope.courses)).courses
        conditions = " AND ".join(["s.user = ?", *in_list("l.course", courses)])
        rows = reader.rows(
            "SELECT DISTINCT a.account, o.outcome FROM students s CROSS JOIN accounts a ON a.id = s.account"
            " CROSS JOIN lines l INDEXED BY lines_by_student ON l.student = s.id"
            f" CROSS JOIN outcomes o ON o.id = l.outcome WHERE {conditions}",
            user,
        )
        found.update(
            RowKey(account, user, outcome)
            for account, outcome in rows
            if scope.accounts is None or account in scope.accounts
        )
    return sorted(found, key=lambda key: (key[0], len(key[2]), key[2]))


def recent_changes(readers: Sequence[Reader], limit: int, scope: Scope) -> list[Change]:
    """Return the rows that changed last, the newest first."""
    found = [change for reader in readers for change in _recent(reader, limit, scope)]
    found.sort(key=lambda change: (-change.changed_at, change.user_uuid, change.learning_outcome_id))
    return found[:limit]


def count_rows(readers: Sequence[Reader]) -> Counts:
    """Return how many rows, students and outcomes there are."""
    rows = students = 0
    outcomes: set[tuple[str, str]] = set()
    for reader in readers:
        students += reader.row("SELECT count(*) FROM students")[0]
        names = "SELECT o.row_count, o.outcome, a.account FROM outcomes o JOIN accounts a ON a.id = o.account"
        for number, outcome, account in reader.rows(names):
            rows += number
            outcomes.add((account, outcome))
    return Counts(rows, students, len(outcomes))


def _recent(reader: Reader, limit: int, scope: Scope) -> Iterator[Change]:
    rows = reader.rows(
        "SELECT a.account, s.user, o.outcome, o.title, l.overall, l.overall_mastery, r.changed_at,"
        " json_group_array(c.course)"
        " FROM (SELECT * FROM recent ORDER BY changed_at DESC LIMIT ?) r"
        " CROSS JOIN students s ON s.id = r.student"
        " CROSS JOIN accounts a ON a.id = s.account CROSS JOIN outcomes o ON o.id = r.outcome"
        " CROSS JOIN lines l INDEXED BY lines_by_student ON l.student = r.student AND l.outcome = r.outcome"
        " CROSS JOIN courses c ON c.id = l.course GROUP BY r.outcome, r.student",
        # What is not in scope takes no place of what is.
        limit if scope == EVERYTHING else RECENT,
    )
    for account, user, outcome, title, score, mastery, changed_at, names in rows:
        courses = tuple(sorted(name for name in json.loads(names) if name))
        if scope.accounts is not None and account not in scope.accounts:
            continue
        if scope.courses is not None and scope.courses.isdisjoint(courses):
            continue
        known = None if mastery is None else bool(mastery)
        yield Change(account, user, outcome, title, score, known, changed_at / 1000, courses)

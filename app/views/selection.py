"""What of one partition a search is about, as numbers of its file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from app.views.answers import Scope, Search
from app.views.cursor import fold
from app.views.files import Reader

__all__ = ["Selection", "accounts_of", "in_list", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Numbers of students, outcomes and courses that lines have to be of; None for any."""

    students: list[int] | None
    outcomes: list[int] | None
    courses: list[int] | None
    outcome_lines: int
    """About how many lines the outcomes have."""
    course_lines: int

    @property
    def empty(self) -> bool:
        """Whether no line can be of them."""
        return [] in (self.students, self.outcomes, self.courses)


def select(reader: Reader, search: Search, scope: Scope) -> Selection:
    """Look up what the search and the scope name."""
    accounts = accounts_of(reader, search.account, scope)
    outcomes, outcome_lines = _outcomes(reader, search.outcome, accounts)
    courses, course_lines = _courses(reader, search.course, scope)
    students = None
    if search.users is not None:
        students = [
            number
            for user in search.users
            for (number,) in reader.rows("SELECT id FROM students WHERE user = ?", user)
        ]
    return Selection(students, outcomes, courses, outcome_lines, course_lines)


def accounts_of(reader: Reader, account: str | None, scope: Scope) -> list[int] | None:
    """Numbers of the root accounts that are asked for and may be seen; None where that is all there are."""
    found = list(reader.rows("SELECT id, account FROM accounts ORDER BY account"))
    kept = [
        number
        for number, name in found
        if account in (None, name) and (scope.accounts is None or name in scope.accounts)
    ]
    return None if len(kept) == len(found) else kept


def in_list(column: str, numbers: Collection[int] | None) -> Iterable[str]:
    """The condition, if there is one, that a column has one of these numbers."""
    if numbers is None:
        return []
    if len(numbers) == 1:
        return [f"{column} = {next(iter(numbers))}"]
    return [f"{column} IN ({','.join(map(str, numbers))})"]


def _outcomes(reader: Reader, text: str | None, accounts: list[int] | None) -> tuple[list[int] | None, int]:
    if text is None and accounts is None:
        return None, 0
    conditions = list(in_list("account", accounts))
    values: list[str] = []
    if text is not None:
        conditions.append("(outcome = ? OR instr(folded, ?))")
        values = [text, fold(text)]
    found = reader.rows(f"SELECT id, row_count FROM outcomes WHERE {' AND '.join(conditions)}", *values)
    numbers, lines = [], 0
    for number, rows in found:
        numbers.append(number)
        lines += rows
    return numbers, lines


def _courses(reader: Reader, course: str | None, scope: Scope) -> tuple[list[int] | None, int]:
    names = None if scope.courses is None else scope.courses - {""}
    if course is not None:
        names = frozenset({course}) if names is None or course in names else frozenset()
    if names is None:
        return None, 0
    numbers = [
        number
        for name in sorted(names)
        for (number,) in reader.rows("SELECT id FROM courses WHERE course = ?", name)
    ]
    lines = sum(
        count or 0
        for number in numbers
        for (count,) in reader.rows("SELECT sum(line_count) FROM pairs WHERE course = ?", number)
    )
    return numbers, lines

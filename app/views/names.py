"""The numbers that stand for texts in a view's file, made at their first use."""

import sqlite3
from typing import Final

from app.views.cursor import fold
from app.views.lines import Basis

__all__ = ["Names"]

#: Students whose number is remembered; a look at the file takes 4 us.
_STUDENTS: Final = 2_000


class Names:
    """Numbers of accounts, students, outcomes, courses and bases, within the transaction of whoever calls."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.forget()

    def forget(self) -> None:
        """Look everything up anew: a transaction was rolled back, or names were deleted."""
        self._accounts: dict[str, int] = {}
        self._students: dict[tuple[str, str], int] = {}
        self._outcomes: dict[tuple[str, str], int] = {}
        self._titles: dict[int, str | None] = {}
        self._courses: dict[tuple[str, str], int] = {}
        self._bases: dict[Basis, int] = {}

    def student(self, account: str, user: str, *, make: bool) -> int | None:
        """The number of a student; None without one, unless it is to be made."""
        number = self._students.get((account, user))
        if number is None:
            number = self._named("students", "user", user, self._account(account), make=make)
            if len(self._students) >= _STUDENTS:
                self._students.clear()
            if number is not None:
                self._students[account, user] = number
        return number

    def outcome(self, account: str, outcome: str) -> int | None:
        """The number of an outcome; None without one."""
        number = self._outcomes.get((account, outcome))
        return number or self._named("outcomes", "outcome", outcome, self._account(account), make=False)

    def titled_outcome(self, account: str, outcome: str, title: str | None) -> int:
        """The number of an outcome, which has this title from now on."""
        number = self._outcomes.get((account, outcome))
        if number is None:
            account_number = self._account(account)
            [number] = self._db.execute(
                "INSERT INTO outcomes (outcome, account, title, folded) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET title = excluded.title, folded = excluded.folded RETURNING id",
                (outcome, account_number, title, fold(title or "")),
            ).fetchone()
            self._outcomes[account, outcome] = number
        elif self._titles[number] != title:
            self._db.execute(
                "UPDATE outcomes SET title = ?, folded = ? WHERE id = ?", (title, fold(title or ""), number)
            )
        self._titles[number] = title
        return number

    def course(self, account: str, course: str) -> int:
        """The number of a course."""
        number = self._courses.get((account, course))
        if number is None:
            number = self._named("courses", "course", course, self._account(account), make=True)
            self._courses[account, course] = number = number or 0
        return number

    def basis(self, basis: Basis) -> int:
        """The number of a basis."""
        number = self._bases.get(basis)
        if number is None:
            columns = ("mastery_points", "points_possible", "method", "n", "state", "rating")
            same = " AND ".join(f"{column} IS ?" for column in columns)
            found = self._db.execute(f"SELECT id FROM bases WHERE {same}", basis).fetchone()
            if found is None:
                insert = f"INSERT INTO bases ({', '.join(columns)}) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
                found = self._db.execute(insert, basis).fetchone()
            [number] = found
            self._bases[basis] = number
        return number

    def _account(self, account: str) -> int:
        number = self._accounts.get(account)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO accounts (account) VALUES (?)", (account,))
            [number] = self._db.execute("SELECT id FROM accounts WHERE account = ?", (account,)).fetchone()
            self._accounts[account] = number
        return number

    def _named(self, table: str, column: str, name: str, account: int, *, make: bool) -> int | None:
        find = f"SELECT id FROM {table} WHERE {column} = ? AND account = ?"
        found = self._db.execute(find, (name, account)).fetchone()
        if found is None and make:
            insert = f"INSERT INTO {table} ({column}, account) VALUES (?, ?) RETURNING id"
            found = self._db.execute(insert, (name, account)).fetchone()
        return None if found is None else int(found[0])

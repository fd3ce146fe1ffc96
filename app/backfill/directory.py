"""What is looked up and not sent: uuids, contexts, ratings of scales.

In a SQLite file without a name, which is gone with the process however that ends: millions of users take no
memory.
"""

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Self

import msgspec

from app.backfill.errors import Problem, RowRefused
from app.backfill.fields import Fields
from app.backfill.kinds import Kind
from app.mastery.ids import local_id

__all__ = ["Directory"]

_CACHED: Final = 100_000
_NAMED: Final = {Kind.USERS: "user", Kind.ACCOUNTS: "account", Kind.COURSES: "course"}


class Directory:
    """Takes rows of all tables, and answers by id. Ids are found as local and as global ones.

    `root_account_id` is the global id of the root account, if known: it says which global ids are local.
    """

    def __init__(self, root_account_id: str | None = None) -> None:
        self._root_account_id = root_account_id
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE known (kind TEXT, id TEXT, value TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID; BEGIN"
        )
        self._roots: dict[str, str] = {}
        self.find = lru_cache(_CACHED)(self._find)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def has_roots(self) -> bool:
        """Whether any account is a root account."""
        return bool(self._roots)

    @property
    def only_root(self) -> tuple[str, str] | None:
        """Id and uuid of the root account, if the accounts have exactly one."""
        return next(iter(self._roots.items())) if len(self._roots) == 1 else None

    def take(self, table: Kind, values: Mapping[str, Any]) -> None:
        """Keep what a row tells. Raises RowRefused."""
        row = Fields(values)
        match table:
            case Kind.USERS | Kind.ACCOUNTS | Kind.COURSES:
                self._named(table, row)
            case Kind.ROSTER:
                self._roster(row)
            case Kind.OUTCOMES:
                self._put("outcome", row.required("id"), _context(row))
                if criterion := (row.json("data") or {}):
                    self._put("scale", row.required("id"), msgspec.json.encode(criterion).decode())
            case Kind.GROUPS:
                self._put("group", row.required("id"), _context(row))
            case Kind.RATINGS:
                level = {
                    "id": row.required("id"),
                    "description": row.text("description"),
                    "points": row.number("points"),
                    "mastery": row.boolean("mastery"),
                    "color": row.identifier("color"),
                    "workflow_state": row.text("workflow_state") or "active",
                }
                key = f"{row.required('outcome_proficiency_id')}/{level['id']}"
                self._put("rating", key, msgspec.json.encode(level).decode())
            case Kind.RUBRIC_ASSOCIATIONS:
                asset = row.identifier("association_id")
                if asset is not None:
                    self._put("rubric", row.required("id"), f"{row.text('association_type')}:{asset}")

    def root(self, account_id: str | None) -> str | None:
        """The uuid of a root account."""
        return None if account_id is None else self.find("account", account_id)

    def context(self, name: str, number: str | None) -> str | None:
        """The uuid of the context of an `outcome` or a `group`."""
        kind, _, owner = ((number and self.find(name, number)) or "").partition(":")
        return self.uuid_of(kind, owner)

    def uuid_of(self, kind: str | None, number: str | None) -> str | None:
        """The uuid of an Account or a Course."""
        if not number or kind not in ("Account", "Course"):
            return None
        return self.find(kind.lower(), number)

    def ratings(self, proficiency: str) -> list[dict[str, Any]]:
        """The levels of a scale, best first."""
        found = self._database.execute(
            "SELECT value FROM known WHERE kind = 'rating' AND id >= ? AND id < ?",
            (f"{proficiency}/", f"{proficiency}0"),
        )
        levels: list[dict[str, Any]] = [msgspec.json.decode(value) for (value,) in found]
        return sorted(levels, key=lambda level: (-(level["points"] or 0.0), level["id"]))

    def _named(self, table: Kind, row: Fields) -> None:
        number, uuid = row.required("id"), row.identifier("uuid")
        if uuid is None:
            raise RowRefused(Problem.MISSING_FIELD, "uuid")
        self._put(_NAMED[table], number, uuid)
        if table is Kind.ACCOUNTS and row.identifier("parent_account_id") is None:
            self._roots[number] = uuid

    def _roster(self, row: Fields) -> None:
        """A roster of the web view, with ids of Canvas in a column of their own."""
        if row.text("kind") == "user" and (number := row.identifier("canvas_id")) is not None:
            self._put("user", number, row.required("id"))

    def _put(self, kind: str, number: str, value: str) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO known VALUES (?, ?, ?)", (kind, self._local(number), value)
        )

    def _find(self, kind: str, number: str) -> str | None:
        found = self._database.execute(
            "SELECT value FROM known WHERE kind = ? AND id = ?", (kind, self._local(number))
        ).fetchone()
        return None if found is None else str(found[0])

    def _local(self, number: str) -> str:
        return local_id(number, self._root_account_id)


def _context(row: Fields) -> str:
    return f"{row.text('context_type') or ''}:{row.identifier('context_id') or ''}"

"""What the demo has seen of mastery: the rows as they stand, and what changed last."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.mastery.ids import local_id
from app.mastery.snapshot import RowKey

__all__ = ["MasteryView", "RowChange"]

#: Changes that are remembered.
_LAST = 5


class RowChange(NamedTuple):
    """A row as it came; None for `before` where it is new."""

    key: str
    before: dict[str, Any] | None
    after: dict[str, Any]


@dataclass
class MasteryView:
    """The topic of rows. `expected` are keys of the rows that the results seen belong to."""

    topic: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    records: int = 0
    changes: deque[RowChange] = field(default_factory=lambda: deque(maxlen=_LAST))
    changed: float = 0.0
    """Time of the last change by the monotonic clock, in seconds."""

    def take(self, key: str, row: dict[str, Any]) -> None:
        """Count a row that was published."""
        self.records += 1
        self.changes.append(RowChange(key, self.rows.get(key), row))
        self.rows[key] = row
        self.changed = time.monotonic()

    def expect(self, result: dict[str, Any]) -> None:
        """Note what row a typed result belongs to, if it tells whose it is."""
        metadata, body = result["metadata"], result["body"]
        named = body["id"] or body["artifact_id"] or body["associated_asset_id"]
        if body["user_uuid"] and named:
            outcome_id = local_id(body["learning_outcome_id"], metadata["root_account_id"])
            self.expected.add(
                str(RowKey(metadata["root_account_uuid"] or "-", body["user_uuid"], outcome_id))
            )

    @property
    def students(self) -> int:
        """How many students have a row."""
        return len({(row["root_account_uuid"], row["user_uuid"]) for row in self.rows.values()})

    @property
    def outcomes(self) -> int:
        """On how many outcomes there is one."""
        return len({(row["root_account_uuid"], row["learning_outcome_id"]) for row in self.rows.values()})

    def count(self, mastery: bool | None) -> int:  # noqa: FBT001 - the field's own three values
        """How many rows are mastered (True), not (False), or have no score (None)."""
        return sum(row["mastery"] is mastery for row in self.rows.values())

    def quiet(self, seconds: float) -> bool:
        """Whether nothing has changed for so long."""
        return time.monotonic() >= self.changed + seconds

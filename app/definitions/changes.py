"""What has to be computed again after definitions have changed, and up to where in the topics."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

__all__ = ["ChangedOutcome", "Changes", "PendingChanges", "Vector"]

#: Offset of the next record to apply, by (topic, partition). A partition that is not in it counts from 0.
Vector = Mapping[tuple[str, int], int]


class ChangedOutcome(NamedTuple):
    """An outcome whose rows have to be computed again."""

    root_account_uuid: str | None
    """None for an outcome that may be global: the rows of this outcome id in every root account."""
    learning_outcome_id: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed. Once its rows are computed again, they agree with all definitions before `vector`.

    Some of it may resolve to what it was before: what is told is that the latest record of a thing is
    another one.
    """

    outcomes: frozenset[ChangedOutcome]
    accounts: frozenset[str]
    """Root accounts in which scales changed: the rows of all their outcomes. Only where scales are on."""
    vector: Vector

    def __bool__(self) -> bool:
        """Whether there is anything to compute again."""
        return bool(self.outcomes or self.accounts)

    def then(self, later: Self) -> "Changes":
        """Both in one."""
        return Changes(self.outcomes | later.outcomes, self.accounts | later.accounts, later.vector)


class PendingChanges:
    """Changes that nobody took yet, for several threads. Their number is that of the outcomes at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: set[ChangedOutcome] = set()
        self._accounts: set[str] = set()
        self._vector: Vector = {}

    def add(self, outcomes: Iterable[ChangedOutcome], accounts: Iterable[str], vector: Vector) -> None:
        """Keep what changed up to `vector`, which is at or beyond that of the changes before."""
        with self._lock:
            self._outcomes.update(outcomes)
            self._accounts.update(accounts)
            self._vector = vector

    def take(self) -> Changes:
        """Return all that is kept, and keep it no longer."""
        with self._lock:
            taken = Changes(frozenset(self._outcomes), frozenset(self._accounts), self._vector)
            self._outcomes, self._accounts = set(), set()
            return taken

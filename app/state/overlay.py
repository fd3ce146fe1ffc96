"""What was processed and is not yet in the state files: between an agent and the end of the checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Overlay", "StateChange"]


@dataclass(slots=True, eq=False)
class StateChange:
    """What one batch changed in one partition: its rows (None: deleted), and where the changelog holds them.

    `offset` is that of the last of its records in the changelog, told by the broker when it has them; None
    where it has them without telling: what it answers to a retry of what it has.
    """

    partition: int
    rows: Mapping[bytes, bytes | None]
    offset: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    """What is to be kept in the file along with the rows, by name; it is in no changelog."""


class Overlay:
    """Rows as they will be once the open checkpoints are committed. Used from the event loop alone."""

    def __init__(self) -> None:
        #: By partition and key the last change of each row.
        self._rows: dict[int, dict[bytes, StateChange]] = {}

    def put(self, change: StateChange) -> None:
        """Lay a change over what is there."""
        self._rows.setdefault(change.partition, {}).update(dict.fromkeys(change.rows, change))

    def get_many(
        self, partition: int, keys: Iterable[bytes]
    ) -> tuple[dict[bytes, bytes | None], list[bytes]]:
        """Return those keys that lie here, with their values, and the list of the others."""
        rows = self._rows.get(partition)
        if not rows:
            return {}, list(keys)
        found: dict[bytes, bytes | None] = {}
        missing = []
        for key in keys:
            change = rows.get(key)
            if change is None:
                missing.append(key)
            else:
                found[key] = change.rows[key]
        return found, missing

    def keys(self, partition: int) -> list[bytes]:
        """Return the keys of all rows of a partition that lie here."""
        return list(self._rows.get(partition, ()))

    def release(self, changes: Iterable[StateChange]) -> None:
        """Take away what has come into the files, where no later change lies over it."""
        for change in changes:
            rows = self._rows.get(change.partition, {})
            for key in change.rows:
                if rows.get(key) is change:
                    del rows[key]

    def clear(self) -> None:
        """Drop everything: it was not committed, and will be read again."""
        self._rows.clear()

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

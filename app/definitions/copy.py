"""The copy as a whole: what records say goes into the file, then into memory, then to who computes again."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from app.definitions.aside import move_aside
from app.definitions.changes import Changes, PendingChanges, Vector
from app.definitions.decoding import DefinitionDecoder
from app.definitions.lookup import Lookup
from app.definitions.store import DefinitionStore, OutcomeRow, ProficiencyRow, changed_since
from app.mastery.definition import OutcomeDefinition
from app.state.errors import StateFileUnusable, StateUnavailable

__all__ = ["DefinitionCopy", "DefinitionRecord"]


class DefinitionRecord(NamedTuple):
    """A record of a definition topic, as it was read."""

    topic: str
    partition: int
    offset: int
    value: bytes | None


class DefinitionCopy:
    """The file and the memory. One thread opens it, one applies; what was applied can be asked for by any.

    `notify` is called by the thread that applies, when there are changes to take.
    """

    def __init__(
        self, path: Path, decoder: DefinitionDecoder, lookup: Lookup, *, notify: Callable[[], None]
    ) -> None:
        self.path = path
        self.closing = threading.Event()
        self._decoder = decoder
        self._lookup = lookup
        self._notify = notify
        self._pending = PendingChanges()
        self._telling = False
        self._vector: Vector = {}
        self._store: DefinitionStore | None = None

    @property
    def vector(self) -> Vector:
        """The offset of the next record to apply, of each partition that was read."""
        return self._vector

    def open(self, topic_ids: Mapping[str, str], check: Callable[[Vector], str | None]) -> None:
        """Load the file, or make it. `check` says what is wrong with its positions, None for nothing.

        A file that cannot be gone on with is moved aside, and a new one begun. Raises StateUnavailable.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateUnavailable(f"{self.path.parent} cannot be used: {error.strerror or error}") from None
        try:
            self._load(topic_ids, check)
        except StateFileUnusable as error:
            move_aside(self.path, str(error))
            self._load(topic_ids, check)

    def close(self) -> None:
        """Let the file go. Look-ups go on working."""
        self.closing.set()
        if self._store is not None:
            self._store.close()

    def tell_changes(self) -> None:
        """Keep what changes from now on for `take_changes`; what changed before is in the file."""
        self._telling = True

    def take_changes(self) -> Changes:
        """Return what changed since this was called last, or since `tell_changes`."""
        return self._pending.take()

    def changed_since(self, vector: Vector) -> Changes:
        """Return what changed since `vector`. Raises StateUnavailable and StateFileUnusable."""
        # Look-ups follow the file: they hold all before this, but not yet all that is read from the file.
        known = self._vector
        return replace(self._lookup.narrowed(changed_since(self.path, vector)), vector=known)

    def apply(self, records: Sequence[DefinitionRecord], moved: Vector) -> None:
        """Apply records, and note the positions after them. All of it, or nothing when it raises.

        Raises DefinitionUnreadable and what else `DefinitionDecoder.read` raises, StateUnavailable, and
        StateFileUnusable, after which the file is moved aside.
        """
        store = self._store
        if store is None:
            raise RuntimeError("the copy is not open")
        outcomes, proficiencies = self._newer(records)
        try:
            store.write(outcomes, proficiencies, moved)
        except StateFileUnusable as error:
            store.close()
            move_aside(self.path, str(error))
            raise
        changed, accounts = self._lookup.apply(outcomes, proficiencies)
        self._vector = {**self._vector, **moved}
        if self._telling and (changed or accounts):
            self._pending.add(changed, accounts, self._vector)
            self._notify()

    def _load(self, topic_ids: Mapping[str, str], check: Callable[[Vector], str | None]) -> None:
        store = DefinitionStore(self.path, topic_ids)
        try:
            positions = self._fitting(store.positions(), check)
            outcomes, proficiencies = list(store.outcomes()), list(store.proficiencies())
        except BaseException:
            store.close()
            raise
        self._lookup.apply(outcomes, proficiencies)
        self._vector = positions
        self._store = store

    def _fitting(self, positions: Vector, check: Callable[[Vector], str | None]) -> Vector:
        if (problem := check(positions)) is not None:
            raise StateFileUnusable(self.path, problem)
        return positions

    def _newer(self, records: Sequence[DefinitionRecord]) -> tuple[list[OutcomeRow], list[ProficiencyRow]]:
        """What is a later version than what is known; of several, the latest."""
        outcomes: dict[tuple[str, str], OutcomeRow] = {}
        proficiencies: dict[tuple[str, str], ProficiencyRow] = {}
        for topic, partition, offset, value in records:
            one, ids = self._decoder.read(topic, partition, offset, value, self.closing)
            place = topic, partition, offset
            if isinstance(one, OutcomeDefinition):
                key = one.root_account_uuid, one.learning_outcome_id
                held = outcomes[key].definition if key in outcomes else self._lookup.outcome(*key)
                if held is None or held.version < one.version:
                    outcomes[key] = OutcomeRow(one, ids, place)
            else:
                key = one.root_account_uuid, one.outcome_proficiency_id
                known = (
                    proficiencies[key].definition if key in proficiencies else self._lookup.proficiency(*key)
                )
                if known is None or known.version < one.version:
                    proficiencies[key] = ProficiencyRow(one, place)
        return list(outcomes.values()), list(proficiencies.values())

"""A rebuild from the changelog: each row computed again from the results that it keeps."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.agents.publication import Publication
from app.errors import MasteryError
from app.mastery import blob
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.row import Row
from app.partitioner import partition_of
from app.rebuild.writing import CHUNK
from app.schemas.contract import Contract
from app.settings import Settings
from app.verify.compare import COURSES, ROWS, Comparison, FoundRow, row_key
from app.verify.history import DefinitionHistory
from app.verify.offsets import places_of
from app.verify.records import Workspace
from app.verify.tables import RowTables

__all__ = ["ChangelogPlan", "ChangelogRebuild", "RowsUnreadable"]

_Record = tuple[Any, ...]


class RowsUnreadable(MasteryError):
    """The changelog holds what is no row."""


@dataclass(slots=True)
class ChangelogPlan:
    """What a rebuild from the changelog comes to."""

    rows: int = 0
    """In the changelog."""
    wrong: int = 0
    """Of these, not as their results and definitions make them, here or where they are published."""
    stale: int = 0
    """Published rows that the changelog does not have: to be deleted."""


class ChangelogRebuild:
    """Writes what differs: a row's changelog and all its published records, in one transaction.

    A row that is right is not touched, so to begin again after an interruption is to go on.
    """

    def __init__(
        self, settings: Settings, contract: Contract, workspace: Workspace, decode: Callable[[bytes], Any]
    ) -> None:
        self._settings = settings
        self.tables = RowTables(settings, workspace)
        self._history = DefinitionHistory(settings, contract)
        self._partitions = len(places_of(settings, [settings.changelog_topic]))
        self._comparison = Comparison(contract, decode, self._partitions)

    def plan(self, heard: Callable[[int], None] = lambda _: None) -> ChangelogPlan:
        """Find out what there is to do. Raises RowsUnreadable, TopicMissing and BrokerFailure."""
        plan = ChangelogPlan()
        self._history.advance()
        self.tables.advance(heard=heard)
        for key in self.tables.state.keys():  # noqa: SIM118 - not a dict
            plan.rows += 1
            results, row = self._computed(key)
            self._expect(key, row)
            plan.wrong += self._differs(key, results, row, self.tables.found(key))
        plan.stale = sum(1 for _ in self._unexpected())
        return plan

    def chunks(self, publication: Publication) -> Iterator[list[_Record]]:
        """Yield the records to write; all of a row are in one chunk."""
        chunk: list[_Record] = []
        for key in self.tables.state.keys():  # noqa: SIM118 - not a dict
            results, row = self._computed(key)
            found = self.tables.found(key)
            if self._differs(key, results, row, found):
                chunk += self._anew(publication, key, results, row, found)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        for key in self._unexpected():
            chunk += self._tombstones(key, self.tables.found(key))
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _computed(self, key: bytes) -> tuple[Results, Row]:
        """The row of the results that the changelog keeps of it; of all, where it lies in two partitions."""
        name = row_key(key)
        results = Results()
        try:
            for value in self.tables.state.of(key).values():
                kept, _ = blob.decode(name, value)
                if not results.snapshots:
                    results = kept
                    continue
                for snapshot in kept.snapshots:
                    results.apply(snapshot)
        except blob.BlobError as error:
            raise RowsUnreadable(
                f"a row of the changelog cannot be read: {error}",
                hint="`mastery state rebuild` without --from-changelog makes it from its results",
            ) from None
        definition = self._history.resolve(name.root_account_uuid, name.learning_outcome_id)
        return results, roll_up(name, results, definition)

    def _home(self, key: bytes) -> int:
        """The partition of the results, whose key is that of the row without the outcome."""
        return partition_of(key.rpartition(b":")[0], self._partitions)

    def _expect(self, key: bytes, row: Row) -> None:
        for topic, name in self._comparison.published(key, row):
            (self.tables.courses if topic == COURSES else self.tables.rows).expect(name)
        self.tables.state.expect(key)

    def _differs(self, key: bytes, results: Results, row: Row, found: FoundRow) -> bool:
        return any(self._comparison.with_truth(key, (results, row), self._home(key), found))

    def _unexpected(self) -> Iterator[bytes]:
        for key in self.tables.unexpected():
            if not self.tables.state.expects(key):
                yield key

    def _anew(
        self, publication: Publication, key: bytes, results: Results, row: Row, found: FoundRow
    ) -> Iterator[_Record]:
        now = time.time_ns() // 1_000_000
        records = list(publication.records(key, None, row, now))
        homes = {(record[0], record[2]): partition_of(record[2], self._partitions) for record in records}
        homes[self._settings.changelog_topic, key] = self._home(key)
        for tombstone in self._tombstones(key, found):
            topic, _, name, partition = tombstone
            if homes.get((topic, name)) != partition:
                yield tombstone
        yield from records
        yield (
            self._settings.changelog_topic, blob.encode(results, row), key, self._home(key), None, None, now,
        )  # fmt: skip

    def _tombstones(self, key: bytes, found: FoundRow) -> Iterator[_Record]:
        ours: list[tuple[str, bytes, Mapping[int, bytes]]] = [
            (self._settings.typed_topic(ROWS), key, found.row),
            *((self._settings.typed_topic(COURSES), name, there) for name, there in found.courses.items()),
            (self._settings.changelog_topic, key, found.state),
        ]
        for topic, name, there in ours:
            yield from ((topic, None, name, partition) for partition in there)

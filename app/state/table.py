"""The rows of the partitions that this worker owns: restored, read in batches, written once a checkpoint."""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.state.errors import StateFileUnusable, StateUnavailable
from app.state.files import is_young
from app.state.folder import StateFiles
from app.state.overlay import Overlay, StateChange
from app.state.reader import StoreReader
from app.state.restore import RestoreProgress, restore
from app.state.store import PartitionStore, StoreIdentity

__all__ = ["Changelog", "StateTable"]

log = logging.getLogger(__name__)

#: KiB of page cache that all partitions of a worker share, for reading and writing each.
_CACHE_KIBIBYTES: Final = 24 * 1024


@dataclass(frozen=True, slots=True)
class Changelog:
    """The topic that the rows are restored from.

    `check` says whether a value is a row of `rows_format`. Deleted rows leave a tombstone for
    `delete_retention` seconds; a file that lacks more than half of that could miss one.
    """

    topic: str
    topic_id: str
    partitions: int
    rows_format: int
    check: Callable[[bytes], bool]
    delete_retention: float
    home: Callable[[bytes], int | None] = lambda _: None
    """In which partition a key belongs; None for any."""


@dataclass(slots=True)
class _Partition:
    store: PartitionStore
    reader: StoreReader

    def close(self) -> None:
        self.reader.close()
        self.store.close()


class StateTable:
    """Rows by key, each in the partition of the record that it was made from.

    One writer for each partition: the stream. `get_many` and `stage` belong to the event loop; what was
    staged is seen by `get_many` at once, and written by `write` once its transaction is committed, while the
    event loop reads. `take_over` and `write` block, in threads, never at the same time.

    A file that turns out to be damaged while it is used is moved aside; the error ends the worker, and its
    next start restores the partition.
    """

    def __init__(self, folder: Path, changelog: Changelog, config: Mapping[str, Any]) -> None:
        self._changelog = changelog
        self._cache = max(256, _CACHE_KIBIBYTES // changelog.partitions // 2)
        self._config = config
        self._files = StateFiles(folder)
        self._partitions: dict[int, _Partition] = {}
        #: Open, though no longer held: the event loop or the writing thread may be in the midst of a call.
        self._condemned_ones: list[_Partition] = []
        self._overlay = Overlay()
        self._notes: dict[int, dict[str, str]] = {}
        #: Files that this process has read in full or written from the beginning. Nobody else writes them.
        self._trusted: set[int] = set()

    @property
    def partitions(self) -> Sequence[int]:
        """Those that can be read and written now."""
        return sorted(self._partitions)

    def take_over(
        self,
        partitions: Collection[int],
        *,
        cancelled: Callable[[], bool] = lambda: False,
        report: Callable[[RestoreProgress], None] = lambda _: None,
    ) -> bool:
        """Own these partitions, and no others: bring their rows up to the changelog's end. Blocks.

        False when cancelled before the end. Files that cannot be used are moved aside, and restored anew.

        Raises:
            ChangelogUnusable, StateUnavailable: see `restore`.
        """
        self._close_all()
        stores: dict[int, PartitionStore] = {}
        with contextlib.ExitStack() as opened:
            opened.callback(_close_stores, stores)
            for partition in partitions:
                stores[partition] = self._open(partition)
            if not self._restore(stores, cancelled, report):
                return False
            readers = {
                partition: opened.enter_context(StoreReader(store.path, cache_kibibytes=self._cache))
                for partition, store in stores.items()
            }
            self._notes = {partition: store.notes() for partition, store in stores.items()}
            opened.pop_all()
        self._partitions = {
            partition: _Partition(store, readers[partition]) for partition, store in stores.items()
        }
        self._trusted.update(stores)
        return True

    def give_up(self) -> None:
        """Forget what was staged: it was not committed, and the partitions' next owner reads it again."""
        self._overlay.clear()

    def close(self) -> None:
        """Let the files go. To be called once, at the end."""
        self._close_all()

    def get_many(self, partition: int, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the rows of those keys that have one, as they will be once all is committed.

        Raises StateFileUnusable and StateUnavailable.
        """
        staged, missing = self._overlay.get_many(partition, keys)
        with self._condemned(partition):
            found = self._held(partition).reader.get_many(missing) if missing else {}
        for key, value in staged.items():
            if value is not None:
                found[key] = value
        return found

    def keys_of_outcome(
        self, partition: int, outcome: bytes, *, after: bytes = b"", limit: int = 1000
    ) -> list[bytes]:
        """Return keys of written rows of one outcome; rows that are staged alone are not among them."""
        with self._condemned(partition):
            return self._held(partition).reader.keys_of_outcome(outcome, after=after, limit=limit)

    def scan_keys(
        self, partition: int, *, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[bytes]:
        """Return keys of written rows that begin with `prefix`, in their order."""
        with self._condemned(partition):
            return [
                key for key, _ in self._held(partition).reader.scan(prefix=prefix, after=after, limit=limit)
            ]

    def staged_keys(self, partition: int) -> list[bytes]:
        """Return keys of rows that are staged, and may not be written."""
        return [key for key in self._overlay.keys(partition) if b":" in key]

    def marks(self, partition: int, prefix: bytes) -> dict[bytes, bytes]:
        """Return the marks that are written, those whose keys begin with `prefix`: see StoreReader."""
        with self._condemned(partition):
            return self._held(partition).reader.marks(prefix)

    def note_of(self, partition: int, name: str) -> str | None:
        """Return what was noted in a partition's file; None in one that was restored since."""
        return self._notes[partition].get(name)

    def note(self, partition: int, **notes: str) -> StateChange:
        """Have something written into a partition's file, with the checkpoint that it goes into."""
        self._notes[partition].update(notes)
        return StateChange(partition, {}, notes=notes)

    def stage(self, partition: int, rows: Mapping[bytes, bytes | None]) -> StateChange:
        """Change rows; the change is to be written when the transaction with its changelog is committed."""
        change = StateChange(partition, rows)
        self._overlay.put(change)
        return change

    def write(self, changes: Iterable[StateChange]) -> None:
        """Bring committed changes, in their order, into the files: one transaction for each. Blocks.

        Raises StateUnavailable; Kafka has the changes, and a restart restores them.
        """
        by_partition: dict[int, list[StateChange]] = {}
        for change in changes:
            by_partition.setdefault(change.partition, []).append(change)
        for partition, ours in by_partition.items():
            rows: dict[bytes, bytes | None] = {}
            notes: dict[str, str] = {}
            position = None
            for change in ours:
                rows.update(change.rows)
                notes.update(change.notes)
                # Unknown where the broker has answered a retry alone, that it has the records: then the file
                # says that it lacks what it holds, and a restart reads it once more.
                if change.offset is not None:
                    position = change.offset + 1
            with self._condemned(partition):
                self._held(partition).store.write(rows, position, notes)

    def release(self, changes: Iterable[StateChange]) -> None:
        """Take written changes out of memory."""
        self._overlay.release(changes)

    def _held(self, partition: int) -> _Partition:
        try:
            return self._partitions[partition]
        except KeyError:
            # Condemned, while the worker goes on for the moment that its end takes.
            raise StateUnavailable(f"the state of partition {partition} is not held any more") from None

    @contextlib.contextmanager
    def _condemned(self, partition: int) -> Iterator[None]:
        try:
            yield
        except StateFileUnusable as error:
            # Perhaps both threads find it: the first one moves the file.
            condemned = self._partitions.pop(partition, None)
            if condemned is not None:
                self._condemned_ones.append(condemned)
                self._trusted.discard(partition)
                self._files.move_aside(partition, str(error))
            raise

    def _close_all(self) -> None:
        for one in (*self._partitions.values(), *self._condemned_ones):
            one.close()
        self._partitions = {}
        self._condemned_ones = []

    def _open(self, partition: int) -> PartitionStore:
        changelog = self._changelog
        path = self._files.path(partition)
        identity = StoreIdentity(
            changelog.topic, changelog.topic_id, partition, changelog.partitions, changelog.rows_format
        )
        try:
            store = PartitionStore(
                path, identity, cache_kibibytes=self._cache, trusted=partition in self._trusted
            )
            if store.position == 0 or is_young(store.synced_at, time.time(), changelog.delete_retention):
                return store
            store.close()
            reason = (
                "it is too old, or of a wrong clock: rows that were deleted meanwhile could be missing from"
                " the changelog"
            )
        except StateFileUnusable as error:
            reason = str(error)
        self._trusted.discard(partition)
        self._files.move_aside(partition, reason)
        return PartitionStore(path, identity, cache_kibibytes=self._cache)

    def _restore(
        self,
        stores: dict[int, PartitionStore],
        cancelled: Callable[[], bool],
        report: Callable[[RestoreProgress], None],
    ) -> bool:
        while True:
            with contextlib.suppress(_TryAgain):
                return self._restore_once(stores, cancelled, report)

    def _restore_once(
        self,
        stores: dict[int, PartitionStore],
        cancelled: Callable[[], bool],
        report: Callable[[RestoreProgress], None],
    ) -> bool:
        changelog = self._changelog
        try:
            return restore(
                self._config,
                changelog.topic,
                stores,
                check=changelog.check,
                home=changelog.home,
                cancelled=cancelled,
                report=report,
            )
        except StateFileUnusable as error:
            partition = next((number for number, one in stores.items() if one.path == error.path), None)
            if partition is None or stores[partition].position == 0:
                raise
            stores[partition].close()
            self._files.move_aside(partition, str(error))
            stores[partition] = self._open(partition)
            raise _TryAgain from None


def _close_stores(stores: Mapping[int, PartitionStore]) -> None:
    """Close those that are there now: a restore may have put another in the place of a damaged one."""
    for store in stores.values():
        store.close()


class _TryAgain(Exception):
    """A file was moved aside: all begins again with a new one in its place."""

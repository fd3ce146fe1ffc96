"""The rows of one state partition on disk: key -> bytes, in one SQLite file.

The file is a copy of the changelog's partition up to a position, and it is written once for each checkpoint,
after the commit, rows and position in one transaction. So whatever happens to the process or the machine, the
file is some earlier checkpoint's, and what lacks is read from the changelog.

Rows stand in a table in the order of their arrival, found by a unique index: restored twice, written four
times as fast as in a table in the order of its keys, and read as fast (docs/decisions/0007).
"""

import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from app.state.errors import StateFileUnusable, file_errors, opening_errors
from app.state.files import transaction
from app.state.integrity import LogContent, entry_seal, require_intact, require_whole_log, row_seal

__all__ = ["FORMAT", "PartitionStore", "StoreIdentity", "outcome_of"]

log = logging.getLogger(__name__)

#: Number of the layout of the tables below. Rows have a format of their own.
FORMAT: Final = 2

#: Values of 600 bytes fit better than into SQLite's own 4,096: 7 % less disk, the same speed.
_PAGE_BYTES = 8192

_NOTE = "note:"
_UNCLEAN = "unclean"

#: Bytes. A larger file is made anew when it is opened next, not while the stream waits: that takes 5 s a GB.
_CLEAN_AT_ONCE = 512 * 1024 * 1024

_SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, seal INTEGER NOT NULL) WITHOUT ROWID",
    # `value` is null only while the file is restored: a tombstone. For `seal` see app.state.integrity.
    (
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, key BLOB NOT NULL, outcome BLOB NOT NULL, value BLOB,"
        " seal INTEGER NOT NULL)"
    ),
)
_INDEXES = (
    "CREATE UNIQUE INDEX rows_by_key ON rows (key)",
    # Written once for a row: an update that leaves the outcome alone does not touch it.
    "CREATE INDEX rows_by_outcome ON rows (outcome, key)",
)
#: Rows of one statement, the largest first. Python's lock is let go and taken again once for each statement,
#: which lasts 5 ms where the stream is busy: 4,000 rows one by one took 0.6 s then, instead of 0.07.
_TOGETHER: Final = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_INSERT: Final = "INSERT INTO rows (key, outcome, value, seal) VALUES"
_ROW_MARKS: Final = "(?, ?, ?, ?)"
_UPSERTS: Final = {
    size: f"{_INSERT} {', '.join([_ROW_MARKS] * size)}"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, seal = excluded.seal"
    for size in _TOGETHER
}
_DROP_FORMER_VERSIONS = (
    "DELETE FROM rows WHERE id IN (SELECT id FROM"
    " (SELECT id, row_number() OVER (PARTITION BY key ORDER BY id DESC) AS age FROM rows) WHERE age > 1)"
)


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """What a file is a copy of. A file of another one is of no use."""

    topic: str
    topic_id: str
    """Kafka's id of the topic: a topic made anew under the same name has another. "" where it has none."""
    partition: int
    partitions: int
    rows_format: int


def outcome_of(key: bytes) -> bytes:
    """The part of a row's key after the last colon: the outcome's id."""
    return key.rpartition(b":")[2]


class PartitionStore:
    """One partition's file, open for writing. To be used by one thread at a time.

    A new file, and one whose restore did not end, is `restoring`: it takes `append`, and nothing else until
    `finish_restore`.
    """

    def __init__(
        self, path: Path, identity: StoreIdentity, *, cache_kibibytes: int = 2048, trusted: bool = False
    ) -> None:
        """Open or make the file. All of it is read, 3 s a million rows, unless it is `trusted`.

        Raises:
            StateFileUnusable: it is corrupt, or a copy of something else.
            StateUnavailable: it cannot be made or written.
        """
        self.path = path
        self.identity = identity
        log_content = LogContent.of(path)
        with opening_errors(path):
            # Opened, written and closed by different threads, one at a time.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with opening_errors(path):
                self._prepare(cache_kibibytes, log_content, trusted=trusted)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    @property
    def restoring(self) -> bool:
        """True until all of the changelog has been read once."""
        return self._meta("restored") is None

    @property
    def position(self) -> int:
        """Offset of the changelog's next record."""
        return int(self._meta("position") or 0)

    @property
    def synced_at(self) -> float:
        """When the file last held all of the changelog, or was begun (seconds since the epoch).

        What was deleted since then, the changelog still tells for as long as it keeps tombstones.
        """
        return float(self._meta("synced_at") or 0.0)

    def notes(self) -> dict[str, str]:
        """Return what was noted beside the rows, by name."""
        with file_errors(self.path):
            found = self._db.execute("SELECT name FROM meta WHERE name LIKE 'note:%'").fetchall()
            return {name.removeprefix(_NOTE): self._meta(name) or "" for (name,) in found}

    def write(
        self,
        rows: Mapping[bytes, bytes | None],
        position: int | None,
        notes: Mapping[str, str] = MappingProxyType({}),
        *,
        synced: bool = True,
    ) -> None:
        """Take over what a checkpoint committed, all or nothing; a row of None is deleted.

        `position` None leaves it as it is. `notes` are kept until they are replaced. `synced` says that the
        file holds all of the changelog then.

        Raises StateUnavailable; the file is then as before.
        """
        kept: list[bytes | int] = []
        for key, value in rows.items():
            if value is not None:
                kept += (key, outcome_of(key), value, row_seal(key, value))
        gone = [(key,) for key, value in rows.items() if value is None]
        with transaction(self._db, self.path):
            self._upsert(kept)
            self._db.executemany("DELETE FROM rows WHERE key = ?", gone)
            self._note(**{f"{_NOTE}{name}": value for name, value in notes.items()})
            if synced:
                self._note(synced_at=time.time())
            if position is not None:
                self._note(position=position)
            if gone:
                self._note(**{_UNCLEAN: 1})
        if gone and self._size() <= _CLEAN_AT_ONCE:
            self.clean()

    def _upsert(self, columns: Sequence[bytes | int]) -> None:
        """Insert or replace rows: four columns of each, one after another."""
        done = 0
        for size in _TOGETHER:
            while len(columns) - done >= 4 * size:
                self._db.execute(_UPSERTS[size], columns[done : done + 4 * size])
                done += 4 * size

    def append(self, rows: Iterable[tuple[bytes, bytes | None]], position: int) -> None:
        """Take records of the changelog, in its order, while `restoring`; None is a tombstone."""
        with transaction(self._db, self.path):
            self._db.executemany(
                f"{_INSERT} {_ROW_MARKS}",
                ((key, outcome_of(key), value, row_seal(key, value)) for key, value in rows),
            )
            self._note(position=position)

    def finish_restore(self) -> None:
        """Keep the last version of each row and build the indexes: about a second for 100,000 rows."""
        with transaction(self._db, self.path):
            self._db.execute(_DROP_FORMER_VERSIONS)
            deleted = self._db.execute("DELETE FROM rows WHERE value IS NULL").rowcount
            for statement in _INDEXES:
                self._db.execute(statement)
            self._note(restored=1, synced_at=time.time())
            if deleted:
                self._note(**{_UNCLEAN: 1})
        self.clean()

    def clean(self) -> None:
        """Leave no bytes of deleted rows behind, neither in the file nor in its log; nothing to do as a rule.

        SQLite's secure_delete clears a deleted row where it stands, but not copies of it that stayed behind
        on other pages when pages were split or merged: in a test that left bytes of 10 of 120 students. So
        the file is made anew from what is in it. Where that fails, for want of room or because somebody reads
        the file, the next opening tries again.
        """
        if self._meta(_UNCLEAN) is None:
            return
        with file_errors(self.path):
            try:
                self._db.execute("VACUUM")
                busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                reason = "somebody reads it"
            except sqlite3.OperationalError as error:
                busy, reason = 1, str(error)
        if busy:
            log.warning(
                "%s may hold bytes of deleted rows until the worker starts again: %s", self.path, reason
            )
            return
        with transaction(self._db, self.path):
            self._db.execute("DELETE FROM meta WHERE name = ?", (_UNCLEAN,))

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0  # moved aside meanwhile

    def mark_synced(self) -> None:
        """Note that the file holds all of the changelog now."""
        with transaction(self._db, self.path):
            self._note(synced_at=time.time())

    def _prepare(self, cache_kibibytes: int, log_content: LogContent, *, trusted: bool) -> None:
        fresh = self._db.execute("PRAGMA schema_version").fetchone() == (0,)
        if fresh:
            self._db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        self._db.execute("PRAGMA journal_mode = WAL")
        # The changelog is the durable copy; WAL keeps the file whole without an fsync for each transaction.
        self._db.execute("PRAGMA synchronous = NORMAL")
        # A student who is to be forgotten leaves no bytes behind in freed pages. See `clean` for the others.
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(f"PRAGMA cache_size = -{cache_kibibytes}")
        if fresh:
            with transaction(self._db, self.path):
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self._note(format=FORMAT, identity=json.dumps(asdict(self.identity)), synced_at=time.time())
        else:
            require_whole_log(self._db, self.path, log_content)
            self._check(trusted=trusted)
            self.clean()

    def _check(self, *, trusted: bool) -> None:
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"meta", "rows"} <= tables or self._held_format() != str(FORMAT):
            raise StateFileUnusable(self.path, f"is of another format than {FORMAT}")
        try:
            held = StoreIdentity(**json.loads(self._meta("identity") or ""))
        except (TypeError, ValueError):
            raise StateFileUnusable(self.path, "does not say what it is a copy of") from None
        for name, value in asdict(self.identity).items():
            found = getattr(held, name)
            if found != value:
                raise StateFileUnusable(
                    self.path, f"is of another {name.replace('_', ' ')}: {found}, not {value}"
                )
        if not trusted:
            require_intact(self._db, self.path, indexed=not self.restoring)

    def _held_format(self) -> str | None:
        # Of any format: the others have no seals.
        found = self._db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        return None if found is None else str(found[0])

    def _meta(self, name: str) -> str | None:
        with file_errors(self.path):
            row = self._db.execute("SELECT value, seal FROM meta WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            if entry_seal(name, str(row[0])) != row[1]:
                raise StateFileUnusable(self.path, f"is damaged: its {name} is not what was written")
            return str(row[0])

    def _note(self, **values: object) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO meta (name, value, seal) VALUES (?, ?, ?)",
            [(name, str(value), entry_seal(name, str(value))) for name, value in values.items()],
        )

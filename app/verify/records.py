"""The last record of each key of compacted topics, on disk: they may be more than fit into memory."""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["LastRecords", "Workspace"]

#: Records. Of a key that is written over and over, the versions within so many cost no disk.
_CHUNK: Final = 4_000

_CACHE_KIBIBYTES: Final = 32 * 1024


class Workspace:
    """A temporary file for as long as it is open. About the size of the topics that are put into it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mastery-verify-"))
        self.db = sqlite3.connect(Path(folder) / "records.db", isolation_level=None)
        self._stack.callback(self.db.close)
        # Nothing here outlives the process.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIBIBYTES}"):
            self.db.execute(f"PRAGMA {pragma}")
        self.db.execute("BEGIN")  # one transaction for all: nothing is ever committed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class LastRecords:
    """What a compacted topic says of each key, partition by partition, and which keys it ought to have.

    `add` all that is there, `index`, then look up; `add` takes more after that, too.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._db = workspace.db
        self._records, self._expected = f"{name}_records", f"{name}_expected"
        self._pending: dict[tuple[bytes, int], bytes | None] = {}
        self._db.execute(
            f"CREATE TABLE {self._records} (id INTEGER PRIMARY KEY, key BLOB, partition INTEGER, value BLOB)"
        )
        self._db.execute(f"CREATE TABLE {self._expected} (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, key: bytes, partition: int, value: bytes | None) -> None:
        """Take the next record of a partition; None deletes the key there."""
        # At the end, where the latest belongs.
        self._pending.pop((key, partition), None)
        self._pending[key, partition] = value
        if len(self._pending) >= _CHUNK:
            self._write()

    def index(self) -> None:
        """Make keys findable: to be called once, after the bulk."""
        self._write()
        self._db.execute(f"CREATE INDEX {self._records}_by_key ON {self._records} (key, partition, id)")

    def of(self, key: bytes) -> Mapping[int, bytes]:
        """Return the key's present value in each partition that has one; as a rule there is one."""
        self._write()
        found = self._db.execute(
            f"SELECT partition, value FROM {self._records} WHERE key = ? ORDER BY id",  # noqa: S608
            (key,),
        )
        return {partition: value for partition, value in dict(found.fetchall()).items() if value is not None}

    def beginning(self, prefix: bytes) -> list[bytes]:
        """Return the keys that begin with `prefix`, those that were deleted, too."""
        self._write()
        found = self._db.execute(
            f"SELECT DISTINCT key FROM {self._records} WHERE key >= ? AND key < ?",  # noqa: S608
            (prefix, prefix[:-1] + bytes([prefix[-1] + 1])),
        )
        return [key for (key,) in found]

    def expect(self, key: bytes) -> bool:
        """Note that the key ought to be there; False when that was noted before."""
        done = self._db.execute(f"INSERT OR IGNORE INTO {self._expected} VALUES (?)", (key,))  # noqa: S608
        return done.rowcount == 1

    def expects(self, key: bytes) -> bool:
        """Whether `expect` was told of the key."""
        found = self._db.execute(f"SELECT 1 FROM {self._expected} WHERE key = ?", (key,))  # noqa: S608
        return found.fetchone() is not None

    def unexpected(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Yield the keys beginning with `prefix` that are there and were not expected."""
        self._write()
        found = self._db.execute(
            f"SELECT key FROM {self._records} EXCEPT SELECT key FROM {self._expected}"  # noqa: S608
        )
        yield from (key for (key,) in _pieces(found) if key.startswith(prefix) and self.of(key))

    def keys(self) -> Iterator[bytes]:
        """Yield every key that has a value, in order."""
        self._write()
        found = self._db.execute(f"SELECT DISTINCT key FROM {self._records} ORDER BY key")  # noqa: S608
        yield from (key for (key,) in _pieces(found) if self.of(key))

    def _write(self) -> None:
        if self._pending:
            self._db.executemany(
                f"INSERT INTO {self._records} (key, partition, value) VALUES (?, ?, ?)",  # noqa: S608
                ((*place, value) for place, value in self._pending.items()),
            )
            self._pending = {}


def _pieces(found: sqlite3.Cursor) -> Iterable[tuple[bytes]]:
    while rows := found.fetchmany(1000):
        yield from rows

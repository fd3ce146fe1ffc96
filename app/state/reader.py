"""Reads one partition's state file, beside whoever writes it."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

from app.state.errors import StateFileUnusable, file_errors

__all__ = ["StoreReader"]

# The key of a row has colons (3A), that of a mark has none: see app.state.store.
_COUNT = "SELECT count(*) FROM rows WHERE instr(key, x'3A')"
_SCAN = "SELECT key, value, seal FROM rows WHERE key >= ? AND instr(key, x'3A') ORDER BY key LIMIT ?"
_SCAN_BELOW = _SCAN.replace("instr", "key < ? AND instr")
_MARKS = "SELECT key, value, seal FROM rows WHERE key >= ? AND key < ? AND NOT instr(key, x'3A')"

#: SQLite takes 32,766 parameters; statements of 500 are as fast as any.
_KEYS_AT_A_TIME = 500


class StoreReader:
    """A read-only connection. Each call sees what was committed when it began; for one thread at a time."""

    def __init__(self, path: Path, *, cache_kibibytes: int = 2048) -> None:
        """Open the file. Raises StateUnavailable and StateFileUnusable, as every call does."""
        self.path = path
        with file_errors(path):
            address = f"{path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA cache_size = -{cache_kibibytes}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that have one."""
        found: dict[bytes, bytes] = {}
        wanted = list(keys)
        with file_errors(self.path):
            for start in range(0, len(wanted), _KEYS_AT_A_TIME):
                some = wanted[start : start + _KEYS_AT_A_TIME]
                marks = ",".join("?" * len(some))
                statement = f"SELECT key, value, seal FROM rows WHERE key IN ({marks})"  # noqa: S608 - marks alone
                found.update(self._sealed(self._db.execute(statement, some)))
        return found

    def count(self) -> int:
        """Return how many rows there are."""
        with file_errors(self.path):
            [number] = self._db.execute(_COUNT).fetchone()
            return int(number)

    def keys_of_outcome(self, outcome: bytes, *, after: bytes = b"", limit: int = 1000) -> list[bytes]:
        """Return keys of rows of one outcome in the order of their bytes, after a given key."""
        with file_errors(self.path):
            found = self._db.execute(
                "SELECT key FROM rows WHERE outcome = ? AND key > ? ORDER BY key LIMIT ?",
                (outcome, after, limit),
            )
            return [key for (key,) in found]

    def scan(
        self, *, prefix: bytes = b"", after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        """Return rows whose keys begin with `prefix` in the order of their bytes, after a given key."""
        begin, end = max(prefix, after + b"\0"), _end(prefix)
        with file_errors(self.path):
            if end is None:
                return self._sealed(self._db.execute(_SCAN, (begin, limit)))
            # Not to read on for the rest of `limit`: a student has some rows, a file has 100,000.
            return self._sealed(self._db.execute(_SCAN_BELOW, (begin, end, limit)))

    def marks(self, prefix: bytes) -> dict[bytes, bytes]:
        """Return the marks, kept beside the rows, whose keys begin with `prefix`, which is not empty."""
        with file_errors(self.path):
            return dict(self._sealed(self._db.execute(_MARKS, (prefix, _end(prefix)))))

    def _sealed(self, found: sqlite3.Cursor) -> list[tuple[bytes, bytes]]:
        rows = []
        for key, value, seal in found:
            # As row_seal, without a call for each row.
            if crc32(value, crc32(key)) != seal:
                raise StateFileUnusable(self.path, "is damaged: a row is not what was written")
            rows.append((key, value))
        return rows


def _end(prefix: bytes) -> bytes | None:
    """The first key after all that begin with `prefix`; None if there is nothing after them."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None

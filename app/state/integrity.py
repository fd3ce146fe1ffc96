"""Whether a state file still says what was written into it.

SQLite tells when its pages do not fit together, not when a byte of a row has become another one. So each row
and each entry beside the rows carries a CRC-32 over what it says: its seal. A row that nobody finds any more
says nothing; therefore all of a file is read when a worker first opens it, and the indexes are compared with
the table: 3 us a row, where restoring one takes 10 to 13.

SQLite's log has checksums of its own, and ends for SQLite at the first frame whose checksum is wrong. What
stands behind it may be in the file already, in part, so a log that damage has cut off condemns the file.
"""

import os
import sqlite3
import struct
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from app.state.errors import StateFileUnusable

__all__ = ["LogContent", "entry_seal", "require_intact", "require_whole_log", "row_seal"]

_DAMAGED: Final = "is damaged: "

# https://www.sqlite.org/fileformat2.html#walformat
_LOG_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_LOG_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}

#: Odd, so that no two row ids are the same number after it.
_SPREAD: Final = 0x9E3779B1
_WORD: Final = 0xFFFFFFFF

_TABLE = "SELECT id, key, outcome, value, seal FROM rows"
_INDEXES = {
    "rows_by_key": "SELECT sum(fold(key, id)) FROM rows INDEXED BY rows_by_key WHERE key >= x''",
    # An entry under another outcome than its key's counts as missing.
    "rows_by_outcome": (
        "SELECT sum(fold(key, id)) FROM rows INDEXED BY rows_by_outcome"
        " WHERE outcome >= x'' AND (length(outcome) = 0 OR substr(key, -length(outcome)) = outcome)"
    ),
}


def row_seal(key: bytes, value: bytes | None) -> int:
    """The seal of a row; a tombstone has that of its key."""
    return crc32(value or b"", crc32(key))


def entry_seal(name: str, value: str) -> int:
    """The seal of what is noted beside the rows."""
    return crc32(f"{name}\0{value}".encode())


class LogContent(NamedTuple):
    """What a database's log holds, as it lies on disk."""

    damaged: bool
    """The log does not begin as one does."""
    last_commit: int
    """Number of the last frame that ends a transaction; 0 without one."""

    @classmethod
    def of(cls, path: Path) -> "LogContent":
        """Read the headers of the log beside `path`. To be called before SQLite looks at it."""
        try:
            with path.with_name(f"{path.name}-wal").open("rb") as file:
                return cls._read(file.fileno())
        except OSError:
            # SQLite will say what is wrong with it.
            return cls(damaged=False, last_commit=0)

    @classmethod
    def _read(cls, descriptor: int) -> "LogContent":
        header = os.pread(descriptor, _LOG_HEADER.size, 0)
        if len(header) < _LOG_HEADER.size:
            return cls(damaged=False, last_commit=0)
        magic, _, page_bytes, _, *salts, first, second = _LOG_HEADER.unpack(header)
        order = _LOG_MAGIC.get(magic)
        if order is None or _checksum(header[:24], order) != (first, second):
            return cls(damaged=True, last_commit=0)
        frame_bytes = _FRAME_HEADER.size + page_bytes
        number = last_commit = 0
        while True:
            found = os.pread(descriptor, _FRAME_HEADER.size, _LOG_HEADER.size + number * frame_bytes)
            if len(found) < _FRAME_HEADER.size:
                return cls(damaged=False, last_commit=last_commit)
            number += 1
            _, commit, *frame_salts, _, _ = _FRAME_HEADER.unpack(found)
            # Frames with other salts are left from before the log was begun again.
            if commit and frame_salts == salts:
                last_commit = number


def require_whole_log(db: sqlite3.Connection, path: Path, log: LogContent) -> None:
    """Raise StateFileUnusable where SQLite, which has opened the file, reads not all of its log."""
    _, frames, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if log.damaged or max(frames, 0) < log.last_commit:
        raise StateFileUnusable(path, f"{_DAMAGED}its log is readable up to frame {frames} alone")


def require_intact(db: sqlite3.Connection, path: Path, *, indexed: bool) -> None:
    """Read all of a file; `indexed` once its restore has ended. Raises StateFileUnusable."""
    [(told,)] = db.execute("PRAGMA quick_check(1)").fetchall()
    if told != "ok":
        raise StateFileUnusable(path, f"{_DAMAGED}its pages do not fit together")
    folded = 0
    for number, key, outcome, value, seal in db.execute(_TABLE):
        summed = crc32(key)
        if crc32(value or b"", summed) != seal or not key.endswith(outcome):
            raise StateFileUnusable(path, f"{_DAMAGED}row {number} is not what was written")
        folded += summed ^ number * _SPREAD & _WORD
    if not indexed:
        return
    db.create_function("fold", 2, _fold, deterministic=True)
    for name, statement in _INDEXES.items():
        if db.execute(statement).fetchone()[0] != (folded or None):
            raise StateFileUnusable(path, f"{_DAMAGED}{name} is not of these rows")


def _fold(key: bytes, number: int) -> int:
    return crc32(key) ^ number * _SPREAD & _WORD


def _checksum(data: bytes, order: str) -> tuple[int, int]:
    first = second = 0
    for one, other in struct.iter_unpack(f"{order}2I", data):
        first = first + one + second & _WORD
        second = second + other + first & _WORD
    return first, second

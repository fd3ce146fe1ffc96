"""What all SQLite files of a worker have in common: transactions, and being put out of the way."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.state.errors import file_errors

__all__ = ["ASIDE", "SQLITE_SUFFIXES", "is_young", "put_aside", "transaction"]

#: Seconds by which clocks may differ. What was written later than that from now tells no age.
_CLOCKS_APART = 3600.0

#: Name of the folder, beside the files, of those that cannot be used.
ASIDE = "aside"

#: What one database consists of, by the ends of its files' names.
SQLITE_SUFFIXES = ("", "-wal", "-shm")


@contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Commit what the block does, or nothing of it. Raises as `file_errors`."""
    with file_errors(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise


def is_young(synced_at: float, now: float, delete_retention: float) -> bool:
    """Whether a copy of a changelog can go on, which held all of it at `synced_at` (seconds since the epoch).

    What was deleted since, the changelog tells for `delete_retention` seconds; half of that is allowed.
    """
    return -_CLOCKS_APART < now - synced_at < delete_retention / 2


def put_aside(path: Path) -> Path:
    """Move a database to `aside/<name>-<nanoseconds since the epoch>.db` beside it; return where. OSError."""
    aside = path.parent / ASIDE
    moved = aside / f"{path.stem}-{time.time_ns()}{path.suffix}"
    aside.mkdir(mode=0o700, exist_ok=True)
    for suffix in SQLITE_SUFFIXES:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(moved.with_name(moved.name + suffix))
    return moved

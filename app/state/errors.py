"""What can be wrong with state on disk."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import MasteryError

__all__ = [
    "ChangelogUnusable",
    "StateError",
    "StateFileUnusable",
    "StateUnavailable",
    "file_errors",
    "opening_errors",
]

#: What is wrong with a disk, a folder or somebody else's lock, and not with the file.
_SURROUNDINGS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
    }
)


class StateError(MasteryError):
    """Base of the errors of state."""


class StateFileUnusable(StateError):
    """A state file cannot be gone on with: corrupt, foreign, too old. It is restored from the changelog."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"the state file {path} {problem}")
        self.path = path


class StateUnavailable(StateError):
    """State cannot be read or written now: the disk is full or failing. What Kafka has is not lost."""


class ChangelogUnusable(StateError):
    """The changelog holds what no worker of this version can have written, or cannot be read."""


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StateUnavailable, or StateFileUnusable where the file is at fault."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not hasattr(error, "sqlite_errorcode"):
            # Not SQLite's but its module's: text that is none. What it says shows the text.
            raise StateFileUnusable(path, "is damaged: a text in it is none") from None
        raise StateUnavailable(f"the state file {path} cannot be used: {error}", hint=_ROOM) from None
    except sqlite3.DatabaseError as error:
        # Its subclasses are mistakes of ours.
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise StateFileUnusable(path, f"is damaged: {error}") from None


@contextmanager
def opening_errors(path: Path) -> Iterator[None]:
    """As `file_errors` for a file that is looked at first: damage can show as any error of SQLite.

    A flipped byte of the file's header makes it one of a later version, or read-only, or without its tables.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _SURROUNDINGS or (code == sqlite3.SQLITE_READONLY and not os.access(path, os.W_OK)):
            raise StateUnavailable(f"the state file {path} cannot be used: {error}", hint=_ROOM) from None
        raise StateFileUnusable(path, f"is damaged: {error}") from None
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        # A value of another type than was written. The error's own text may hold it.
        raise StateFileUnusable(path, f"is damaged ({type(error).__name__})") from None


_ROOM = "make room on the disk of MASTERY_STATE_DIR, then start the worker again: it goes on where it was"

"""What can be wrong with state on disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import MasteryError

__all__ = ["ChangelogUnusable", "StateError", "StateFileUnusable", "StateUnavailable", "file_errors"]


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
        raise StateUnavailable(f"the state file {path} cannot be used: {error}", hint=_ROOM) from None
    except sqlite3.DatabaseError as error:
        # Its subclasses are mistakes of ours.
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise StateFileUnusable(path, f"is damaged: {error}") from None


_ROOM = "make room on the disk of MASTERY_STATE_DIR, then start the worker again: it goes on where it was"

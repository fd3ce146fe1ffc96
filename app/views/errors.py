"""What can be wrong with views and questions to them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import MasteryError

__all__ = [
    "ChangelogUnreadable",
    "CursorUnfit",
    "QueryTooSlow",
    "ViewError",
    "ViewUnavailable",
    "ViewUnfit",
    "file_errors",
    "transaction",
]


class ViewError(MasteryError):
    """Base of the errors of views."""


class QueryTooSlow(ViewError):
    """A query did not end within its time limit."""


class CursorUnfit(ViewError):
    """A cursor that is none, or is of another list, order or search."""


class ViewUnavailable(ViewError):
    """A view's file cannot be read or written now: the disk is full or failing. It goes on by itself."""


class ViewUnfit(ViewError):
    """A view's file cannot be gone on with: damaged, too old, or of something else. It is built anew."""


class ChangelogUnreadable(ViewError):
    """The changelog holds what this version of the program does not understand."""


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ViewUnavailable, or ViewUnfit where the file is at fault."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ViewUnavailable(
            f"the view {path} cannot be used: {error}", hint="make room on the disk of MASTERY_STATE_DIR"
        ) from None
    except sqlite3.DatabaseError as error:
        # Its subclasses are mistakes of ours.
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise ViewUnfit(f"the view {path} is damaged: {error}") from None


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

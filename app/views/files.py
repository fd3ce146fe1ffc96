"""The views that can be read, and connections to them for any thread."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from app.views.errors import QueryTooSlow, ViewUnavailable

__all__ = ["Reader", "ViewFiles"]

#: Steps of SQLite's machine between two looks at the clock: some 50 us.
_STEPS: Final = 2_000

#: Connections to one file that wait for the next question.
_IDLE: Final = 4

_CACHE_KIBIBYTES: Final = 1024


class Reader:
    """One partition's view as one question sees it: a snapshot, the same to its end."""

    def __init__(self, partition: int, db: sqlite3.Connection) -> None:
        self.partition = partition
        self._db = db

    def rows(self, statement: str, *values: object) -> Iterator[Any]:
        """Run a query; its rows come one by one."""
        return self._db.execute(statement, values)

    def row(self, statement: str, *values: object) -> Any:
        """Run a query; return its first row, None without one."""
        return self._db.execute(statement, values).fetchone()


class _File:
    """One file, open for reading as often as questions run at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._lock = threading.Lock()

    def take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        db = sqlite3.connect(
            f"file:{self.path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA query_only = ON")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        return db

    def give_back(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(db)
                return
        db.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()


class ViewFiles:
    """Partitions' files that are ready. The builder says which; questions read them."""

    def __init__(self) -> None:
        self._files: Mapping[int, _File] = {}
        self._lock = threading.Lock()
        self._suspects: set[int] = set()

    def serve(self, partition: int, path: Path) -> None:
        """Let a file be read from now on."""
        with self._lock:
            self._files = {**self._files, partition: _File(path)}

    def withdraw(self, partition: int) -> None:
        """Let a file not be read any more; questions that run go on to their end."""
        with self._lock:
            files = dict(self._files)
            gone = files.pop(partition, None)
            self._files = files
        if gone is not None:
            gone.close()

    def take_suspects(self) -> set[int]:
        """Partitions among whose files a question found a damaged one, since the last call."""
        suspects, self._suspects = self._suspects, set()
        return suspects

    @contextlib.contextmanager
    def reading(self, time_limit: float) -> Iterator[list[Reader]]:
        """Open all files that are ready now, for one question.

        Raises QueryTooSlow when the block takes longer than so many seconds, and ViewUnavailable.
        """
        deadline = time.monotonic() + time_limit
        partition = -1
        with contextlib.ExitStack() as leases:
            try:
                readers = []
                for partition, file in sorted(self._files.items()):
                    db = leases.enter_context(_lease(file, deadline))
                    readers.append(Reader(partition, db))
                yield readers
            except sqlite3.OperationalError as error:
                if time.monotonic() > deadline:
                    raise QueryTooSlow(
                        f"the question took longer than {time_limit:g} s", hint="ask for less at a time"
                    ) from None
                raise ViewUnavailable(f"a view cannot be read: {error}") from None
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise
                # Which of them it was, the builder finds out: it can take its time.
                self._suspects.update(self._files)
                raise ViewUnavailable(f"a view is damaged and built anew: {error}") from None


@contextlib.contextmanager
def _lease(file: _File, deadline: float) -> Iterator[sqlite3.Connection]:
    db = file.take()
    try:
        db.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
        db.execute("BEGIN")
        yield db
        db.execute("ROLLBACK")
    except BaseException:
        db.close()
        raise
    file.give_back(db)

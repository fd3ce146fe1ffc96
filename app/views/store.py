"""The view of one partition on disk: one SQLite file, written by the builder alone.

Lines, what is counted of them and the changelog's position are one transaction, so whatever happens, the file
is the view of some position. It can be thrown away at any time: the changelog has all that is in it.
"""

import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from app.state.store import StoreIdentity
from app.views.errors import ViewUnfit, file_errors, transaction
from app.views.layout import COUNTED, FORMAT, INDEXES, TABLES
from app.views.writer import ChangedRow, Writer

__all__ = ["ViewStore"]

log = logging.getLogger(__name__)

_UNCLEAN: Final = "unclean"


class ViewStore:
    """One partition's view, open for writing. To be used by one thread.

    It is not `ready` until `finish`: only then it has its indexes, and what is counted.
    """

    def __init__(self, path: Path, identity: StoreIdentity, *, cache_kibibytes: int = 4096) -> None:
        """Open or make the file. Raises ViewUnfit and ViewUnavailable."""
        self.path = path
        self.identity = identity
        with file_errors(path):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with file_errors(path):
                self._prepare(cache_kibibytes)
            self.ready = self._meta("ready") is not None
            self.position = int(self._meta("position") or 0)
            self._unclean = self._meta(_UNCLEAN) is not None
        except BaseException:
            self.close()
            raise
        self._writer = Writer(self._db)

    def close(self) -> None:
        """Let the file go."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    @property
    def synced_at(self) -> float:
        """When the view last held all of the changelog, or was begun (seconds since the epoch)."""
        return float(self._meta("synced_at") or 0.0)

    @property
    def unclean(self) -> bool:
        """Whether `clean` has something to do."""
        return self._unclean

    def sound(self) -> bool:
        """Read all of the file: whether it is undamaged."""
        try:
            return bool(self._db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False

    def apply(self, rows: Iterable[ChangedRow], position: int, *, synced: bool = False) -> None:
        """Take over records of the changelog up to a position, each key's last one, all or nothing.

        `synced` says that this is all of the changelog. Raises ViewUnfit and ViewUnavailable; the
        file is then as before.
        """
        try:
            with transaction(self._db, self.path):
                vanished = self._writer.apply(rows, counting=self.ready)
                self._note(position=position)
                if synced:
                    self._note(synced_at=time.time())
                if vanished:
                    self._note(**{_UNCLEAN: 1})
        except BaseException:
            self._writer.forget()
            raise
        self.position = position
        self._unclean = self._unclean or vanished

    def finish(self) -> None:
        """Count and build the indexes: some two seconds for 100,000 lines."""
        with transaction(self._db, self.path):
            self._run(INDEXES + COUNTED)
            # Without knowing who was deleted meanwhile.
            self._note(**{"ready": 1, "synced_at": time.time(), _UNCLEAN: 1})
        self._writer.forget()
        self.ready = self._unclean = True
        self.clean()

    def clean(self) -> bool:
        """Leave no bytes of students who vanished behind; return whether that is so. See app.state.store."""
        if not self._unclean:
            return True
        with file_errors(self.path):
            try:
                self._db.execute("VACUUM")
                busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                log.debug("%s could not be made anew: %s", self.path, error)
                busy = 1
        if busy:
            return False
        with transaction(self._db, self.path):
            self._db.execute("DELETE FROM meta WHERE name = ?", (_UNCLEAN,))
        self._unclean = False
        return True

    def _prepare(self, cache_kibibytes: int) -> None:
        fresh = self._db.execute("PRAGMA schema_version").fetchone() == (0,)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(f"PRAGMA cache_size = -{cache_kibibytes}")
        # What sorting needs stays off the disk: it holds uuids.
        self._db.execute("PRAGMA temp_store = MEMORY")
        if fresh:
            with transaction(self._db, self.path):
                self._run(TABLES)
                self._note(format=FORMAT, identity=json.dumps(asdict(self.identity)), synced_at=time.time())
            return
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"meta", "lines"} <= tables or self._meta("format") != str(FORMAT):
            raise ViewUnfit(f"the view {self.path} is of another format than {FORMAT}")
        if self._meta("identity") != json.dumps(asdict(self.identity)):
            raise ViewUnfit(f"the view {self.path} is of another changelog")

    def _run(self, statements: str) -> None:
        """Run them one by one: `executescript` would commit the transaction that they are part of."""
        for statement in statements.split(";\n"):
            self._db.execute(statement)

    def _meta(self, name: str) -> str | None:
        with file_errors(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row[0])

    def _note(self, **values: object) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
            [(name, str(value)) for name, value in values.items()],
        )

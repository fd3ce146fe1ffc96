"""One partition that is followed: what was read of the changelog, and brought into its view."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from app.mastery import blob
from app.mastery.snapshot import RowKey
from app.state.files import SQLITE_SUFFIXES, is_young
from app.state.store import StoreIdentity
from app.views.answers import Change, PartitionView
from app.views.errors import ChangelogUnreadable, ViewUnfit
from app.views.files import ViewFiles
from app.views.store import ViewStore
from app.views.writer import ChangedRow

__all__ = ["Followed", "delete_view"]

#: Rows that a first reading brings in at a time. Each costs a page or two of the file's log.
_AT_A_TIME: Final = 20_000

#: Changes of one batch that are told.
_TOLD: Final = 200

#: Seconds until a partition with an error is tried again.
_RETRY: Final = 10.0

#: Seconds until a file is made anew after a student has vanished from it, and between two tries.
_CLEAN_AFTER: Final = 2.0
_CLEAN_AGAIN: Final = 30.0


def delete_view(path: Path) -> None:
    """Delete a view's file and what SQLite keeps beside it."""
    for suffix in SQLITE_SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class Followed:
    """One partition. Everything but `view` belongs to the builder's thread."""

    def __init__(
        self, path: Path, identity: StoreIdentity, files: ViewFiles, *, delete_retention: float
    ) -> None:
        """Open its view, or begin a new one where there is none to go on with. Raises ViewUnavailable."""
        self.partition = identity.partition
        self._path = path
        self._identity = identity
        self._files = files
        self._pending: dict[bytes, tuple[bytes | None, int]] = {}
        self._ended = False
        self._served = False
        self._current_at = 0.0
        self._error: str | None = None
        self._retry_at = 0.0
        self._clean_at: float | None = None
        self._target = 0
        self.end: int | None = None
        """End of the changelog as last seen."""
        self._store = self._open(delete_retention)
        self.read = self._begin = self._store.position

    def begin(self, end: int) -> None:
        """Let it be read if it lacks nothing. `end` is where the changelog ends now."""
        self._target = self.end = end
        self._current_at = self._store.synced_at
        if self._store.ready and self.read >= end:
            self._serve()

    @property
    def built(self) -> bool:
        """Whether its first reading is over."""
        return self._store.ready

    @property
    def paused(self) -> bool:
        """Whether it waits before it is tried again."""
        return time.monotonic() < self._retry_at

    def close(self) -> None:
        """Let the file go, unread from now on."""
        self._served = False
        self._files.withdraw(self.partition)
        self._store.close()

    def rebuild(self) -> None:
        """Throw the view away and begin anew."""
        self.close()
        delete_view(self._path)
        self._store = ViewStore(self._path, self._identity)
        self._pending.clear()
        self.read = self._begin = 0
        self._ended = False

    def take(
        self, records: Iterable[tuple[bytes | None, bytes | None, int]], position: int, *, ended: bool
    ) -> None:
        """Take key, value and time of records that go up to a position; `ended`: that is the end."""
        for key, value, at in records:
            if key is not None:
                # The last one of a key has the last place: its title is the present one.
                self._pending.pop(key, None)
                self._pending[key] = (value, at)
        self.read = position
        self._ended = ended

    def write(self) -> tuple[Change, ...]:
        """Bring what was taken into the view, once it is worth it; return what changed for readers.

        Raises ViewUnavailable, ChangelogUnreadable: it is to be `put_off`.
        """
        store = self._store
        # The embedded broker's ends can be too low, hence beyond it. As a rule the end itself is told.
        caught_up = self._ended or self.read > self._target
        if not store.ready and not caught_up and len(self._pending) < _AT_A_TIME:
            return ()
        if self.read == store.position and store.ready:
            self._reached(caught_up=caught_up)
            return ()
        rows = [*self._rows()]
        try:
            store.apply(rows, self.read, synced=self._ended)
            self._pending.clear()
            if not store.ready and caught_up:
                store.finish()
        except ViewUnfit:
            self.rebuild()
            return ()
        told = rows[-_TOLD:] if self._served else []
        self._reached(caught_up=caught_up)
        return tuple(_change(row) for row in told)

    def restart(self) -> None:
        """Forget what was taken and not written: it is read again."""
        self._pending.clear()
        self.read = self._store.position
        self._ended = False

    def keep_fresh(self) -> None:
        """Note that it still holds all of the changelog, where nothing happens for long."""
        if self._store.ready and self._ended and self.read == self._store.position:
            self._store.apply([], self.read, synced=True)

    def put_off(self, why: str) -> None:
        """Forget what was taken and not written, and wait before it is read again."""
        self.restart()
        self._error = why
        self._retry_at = time.monotonic() + _RETRY

    def clean(self) -> None:
        """Make the file anew if students have vanished from it a while ago."""
        if not (self._store.ready and self._store.unclean):
            return
        now = time.monotonic()
        if self._clean_at is None:
            self._clean_at = now + _CLEAN_AFTER
        elif now >= self._clean_at:
            self._clean_at = None if self._store.clean() else now + _CLEAN_AGAIN

    def examine(self) -> None:
        """Rebuild a file that turns out to be damaged."""
        if not self._store.sound():
            self.rebuild()

    def view(self, failing: str | None) -> PartitionView:
        """How far it is; `failing` says why nothing is read at present."""
        applied, end = self._store.position, self.end
        if end is not None:
            end = max(end, self.read)
        error = self._error or failing
        current = self._ended and self.read == applied and error is None
        span = max(self._target, end or 0) - self._begin
        progress = (
            1.0 if self._store.ready else min(0.99, (self.read - self._begin) / span if span > 0 else 0.0)
        )
        return PartitionView(
            self.partition,
            applied,
            end,
            self._served,
            progress,
            time.time() if current else self._current_at,
            error,
        )

    def _serve(self) -> None:
        self._served = True
        self._files.serve(self.partition, self._path)

    def _reached(self, *, caught_up: bool) -> None:
        self._error = None
        if caught_up and not self._served:
            self._serve()
        if self._ended:
            self._current_at = time.time()

    def _open(self, delete_retention: float) -> ViewStore:
        try:
            store = ViewStore(self._path, self._identity)
            # What was deleted earlier, the changelog may not tell any more.
            if store.position == 0 or is_young(store.synced_at, time.time(), delete_retention):
                return store
            store.close()
        except ViewUnfit:
            pass
        delete_view(self._path)
        return ViewStore(self._path, self._identity)

    def _rows(self) -> Iterator[ChangedRow]:
        for key, (value, at) in self._pending.items():
            account, _, rest = key.decode(errors="replace").partition(":")
            user, colon, outcome = rest.rpartition(":")
            if not colon:
                continue  # a mark: see app.mastery.forgotten
            row_key = RowKey(account, user, outcome)
            try:
                row = None if value is None else blob.decode_row(row_key, value)
            except blob.BlobError as error:
                raise ChangelogUnreadable(
                    f"partition {self.partition} of the changelog holds no row of this version: {error}",
                    hint="a newer version wrote it: run that version",
                ) from None
            yield ChangedRow(row_key, row, at)


def _change(changed: ChangedRow) -> Change:
    key, row, at = changed
    if row is None:
        return Change(*key, None, None, None, at / 1000, (), deleted=True)
    courses = tuple(sorted(course.course_id for course in row.courses))
    return Change(*key, row.outcome_title, row.score, row.mastery, at / 1000, courses)

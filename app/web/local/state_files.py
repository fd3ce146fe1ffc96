"""The worker's state files, open for reading by whoever asks next."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from app.state.errors import StateUnavailable
from app.state.reader import StoreReader

__all__ = ["StateReaders"]

#: Connections to one file that wait for the next question: opening one takes longer than most answers.
_IDLE: Final = 2


class _Open(NamedTuple):
    reader: StoreReader
    file: tuple[int, int]
    """Device and inode: a file that took the place of another is another."""


class StateReaders:
    """Readers of `<folder>/<partition>.db`, lent for one look each. For any threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: dict[int, list[_Open]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, partition: int) -> Iterator[StoreReader]:
        """Lend a reader of the file as it is there now. Raises StateUnavailable and StateFileUnusable."""
        path = self._folder / f"{partition}.db"
        try:
            file = _identity(path)
        except OSError as error:
            raise StateUnavailable(f"the state file {path} is not there: {error.strerror}") from None
        found = self._take(partition, file) or _Open(StoreReader(path), file)
        try:
            yield found.reader
        except BaseException:
            found.reader.close()
            raise
        with self._lock:
            idle = self._idle.setdefault(partition, [])
            if len(idle) < _IDLE:
                idle.append(found)
                return
        found.reader.close()

    def keep(self, partitions: frozenset[int]) -> None:
        """Let go of the files of all other partitions."""
        with self._lock:
            gone = [self._idle.pop(one) for one in [*self._idle] if one not in partitions]
        for opened in (one for some in gone for one in some):
            opened.reader.close()

    def _take(self, partition: int, file: tuple[int, int]) -> _Open | None:
        with self._lock:
            idle = self._idle.get(partition, [])
            stale = [one for one in idle if one.file != file]
            for one in stale:
                idle.remove(one)
            found = idle.pop() if idle else None
        for one in stale:
            one.reader.close()
        return found


def _identity(path: Path) -> tuple[int, int]:
    told = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    return told.st_dev, told.st_ino

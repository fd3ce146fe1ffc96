"""Where backfilled events go: to the raw topic, to a file, or nowhere."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from app.backfill.errors import BackfillError
from app.raw_lines import to_line
from app.sender import EventSender

__all__ = ["FileSink", "NoSink", "Sink", "TopicSink"]


class Sink(Protocol):
    """Takes events. What was taken before `settle` returned is safe."""

    @property
    def size(self) -> int:
        """Bytes of the file, for one that goes on with it; 0 where there is none."""

    def take(self, raw: bytes) -> None:
        """Take one event."""

    def settle(self) -> None:
        """Wait until all that was taken is safe."""


class NoSink:
    """A dry run."""

    size = 0

    def take(self, raw: bytes) -> None:
        """Forget it."""

    def settle(self) -> None:
        """Nothing to wait for."""


class TopicSink:
    """The raw topic. Raises what EventSender raises."""

    size = 0

    def __init__(self, sender: EventSender) -> None:
        self._sender = sender
        self.take: Callable[[bytes], None] = sender.send

    def settle(self) -> None:
        """Wait for the broker."""
        self._sender.finish()


class FileSink:
    """A file of one event a line, as `mastery send --lines` takes it. Goes on behind `size` bytes."""

    def __init__(self, path: Path, size: int = 0) -> None:
        """Open it. Raises BackfillError."""
        self.size = size
        try:
            if size and path.stat().st_size < size:
                raise BackfillError(
                    f"{path} is shorter than this backfill has written already",
                    hint="delete the state file to begin anew",
                )
            self._file = path.open("r+b" if size else "wb")
            self._file.truncate(size)
            self._file.seek(size)
        except OSError as error:
            raise BackfillError(f"{path} cannot be written: {error.strerror or error}") from None

    def take(self, raw: bytes) -> None:
        """Write one line."""
        self.size += self._file.write(to_line(raw))

    def settle(self) -> None:
        """Wait for the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

"""The folder of the state files, and what was moved aside in it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.state.errors import StateUnavailable
from app.state.files import ASIDE, SQLITE_SUFFIXES, put_aside

__all__ = ["AsideFile", "StateFiles"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AsideFile:
    """A state file that could not be used. `moved_at` is in seconds since the epoch."""

    path: Path
    bytes: int
    moved_at: float


class StateFiles:
    """`<folder>/<partition>.db`; what cannot be used goes to `<folder>/aside/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable(folder, error) from None

    def path(self, partition: int) -> Path:
        """Return where the file of a partition is, or will be."""
        return self.folder / f"{partition}.db"

    def partitions(self) -> list[int]:
        """Return the partitions that have a file."""
        return sorted(int(path.stem) for path in self.folder.glob("*.db") if path.stem.isdecimal())

    def move_aside(self, partition: int, reason: str) -> None:
        """Put a partition's file out of the way, and say so."""
        try:
            moved = put_aside(self.path(partition))
        except OSError as error:
            raise _unavailable(self.folder, error) from None
        log.warning("state of partition %d was moved to %s and is restored: %s", partition, moved, reason)

    def aside(self) -> Sequence[AsideFile]:
        """Return what was moved aside, the oldest first."""
        found = []
        for path in (self.folder / ASIDE).glob("*.db"):
            sizes = [
                part.stat().st_size
                for suffix in SQLITE_SUFFIXES
                if (part := path.with_name(path.name + suffix)).exists()
            ]
            moved_at = path.stem.rpartition("-")[2]
            if moved_at.isdecimal():
                found.append(AsideFile(path, sum(sizes), int(moved_at) / 1e9))
        return sorted(found, key=lambda one: one.moved_at)

    def purge(self, *, older_than: float) -> int:
        """Delete what was moved aside more than so many seconds ago; return how many files went."""
        old = [one for one in self.aside() if one.moved_at < time.time() - older_than]
        for one in old:
            for suffix in SQLITE_SUFFIXES:
                one.path.with_name(one.path.name + suffix).unlink(missing_ok=True)
        return len(old)


def _unavailable(folder: Path, error: OSError) -> StateUnavailable:
    return StateUnavailable(f"the state folder {folder} cannot be used: {error.strerror or error}")

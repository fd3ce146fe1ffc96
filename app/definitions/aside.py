"""A copy that cannot be gone on with is put out of the way, beside the state files that were."""

import logging
import time
from pathlib import Path
from typing import Final

from app.state.errors import StateUnavailable

__all__ = ["move_aside"]

log = logging.getLogger(__name__)

_SQLITE_SUFFIXES: Final = ("", "-wal", "-shm")


def move_aside(path: Path, reason: str) -> None:
    """Move a SQLite file to `aside/<name>-<nanoseconds since the epoch>.db` beside it, and say so.

    Raises StateUnavailable.
    """
    aside = path.parent / "aside"
    moved = aside / f"{path.stem}-{time.time_ns()}{path.suffix}"
    try:
        aside.mkdir(mode=0o700, exist_ok=True)
        for suffix in _SQLITE_SUFFIXES:
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(moved.with_name(moved.name + suffix))
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be moved: {error.strerror or error}") from None
    log.warning(
        "the copy of the definitions was moved to %s, and all are read from their topics again: %s",
        moved,
        reason,
    )

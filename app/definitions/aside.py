"""A copy that cannot be gone on with is put out of the way, beside the state files that were."""

import logging
from pathlib import Path

from app.state.errors import StateUnavailable
from app.state.files import put_aside

__all__ = ["move_aside"]

log = logging.getLogger(__name__)


def move_aside(path: Path, reason: str) -> None:
    """Move a SQLite file to `aside/<name>-<nanoseconds since the epoch>.db` beside it, and say so.

    Raises StateUnavailable.
    """
    try:
        moved = put_aside(path)
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be moved: {error.strerror or error}") from None
    log.warning(
        "the copy of the definitions was moved to %s, and all are read from their topics again: %s",
        moved,
        reason,
    )

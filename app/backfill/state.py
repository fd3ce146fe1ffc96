"""How far a backfill has come, in a file: one that was cut off goes on where it was."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from app.backfill.errors import BackfillError

__all__ = ["Progress", "StateFile", "fingerprint"]


class Progress(msgspec.Struct):
    """All before this is safe with the broker, or in the file."""

    work: str
    """What it is the progress of: files, options and where to."""
    step: int = 0
    """Number of the step (a file in one of the passes) that is under way."""
    row: int = 0
    """Rows of it that are done."""
    out_bytes: int = 0
    problem_bytes: int = 0
    counts: dict[str, dict[str, int]] = {}


class StateFile:
    """Holds one Progress; written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, work: str) -> Progress | None:
        """The progress of this work, None if there is none. Raises BackfillError for that of another."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            raise BackfillError(f"{self.path} is no state of a backfill", hint=self._hint) from None
        if found.work != work:
            raise BackfillError(
                f"{self.path} is the state of a backfill of other files, other options or another place",
                hint=self._hint,
            )
        return found

    def save(self, progress: Progress) -> None:
        """Write it. Raises BackfillError."""
        aside = self.path.with_name(f"{self.path.name}.new")
        try:
            with aside.open("wb") as file:
                file.write(msgspec.json.encode(progress))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self.path)
        except OSError as error:
            raise BackfillError(f"{self.path} cannot be written: {error.strerror or error}") from None

    def remove(self) -> None:
        """It is done with."""
        self.path.unlink(missing_ok=True)

    @property
    def _hint(self) -> str:
        return "finish that one first, delete the file to begin anew, or give another --state"


def fingerprint(files: Sequence[Path], *options: Any) -> str:
    """Stands for these files as they are now, and these options."""
    seen = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return sha256(msgspec.json.encode([seen, options])).hexdigest()

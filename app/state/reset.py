"""Deleting a worker's local state: all of it is copied from topics, and read from them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.state.errors import StateUnavailable

__all__ = ["LocalFile", "delete", "local_files"]

_SQLITE_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the state folder, and what it is."""

    path: Path
    what: str
    bytes: int


def local_files(folder: Path) -> Sequence[LocalFile]:
    """Return what a worker keeps in `folder`, aside files included; nothing else that may lie there."""
    found = []
    for path in sorted(folder.glob("*.db*")) + sorted((folder / "aside").glob("*.db*")):
        stem, _, suffix = path.name.partition(".db")
        if suffix not in _SQLITE_SUFFIXES or not path.is_file():
            continue
        name = stem.partition("-")[0]
        if name.isdecimal():
            what = f"rows of partition {name}"
        elif name == "definitions":
            what = "outcomes and scales"
        else:
            continue
        aside = ", moved aside" if path.parent != folder else ""
        found.append(LocalFile(path, what + aside, path.stat().st_size))
    return found


def delete(files: Sequence[LocalFile]) -> None:
    """Delete these files. The caller holds the folder's lock. Raises StateUnavailable."""
    # A log without its database is nothing; the other way round, SQLite would take the file for whole.
    for one in sorted(files, key=lambda file: file.path.suffix != ".db"):
        try:
            one.path.unlink(missing_ok=True)
        except OSError as error:
            raise StateUnavailable(f"{one.path} cannot be deleted: {error.strerror or error}") from None

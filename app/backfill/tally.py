"""What became of the rows: counts, and a file with a line for each one that is not as it should be."""

from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Self

import msgspec

from app.backfill.errors import EXPLAINED, Problem

__all__ = ["Problems", "Tally", "Trouble"]

#: Problems that are shown on the screen. All are in the file.
_SHOWN: Final = 10


class Trouble(NamedTuple):
    """A row that could not be used. None of it shows anything of the row but its id."""

    file: str
    line: int
    table: str
    problem: Problem
    field: str = ""
    id: str | None = None

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.file}, line {self.line}: {self.problem}{where}: {EXPLAINED[self.problem]}"


@dataclass(slots=True)
class Tally:
    """Rows by table. A row was sent, used for look-ups, skipped or a problem: read is the sum."""

    read: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    """By event name. Those handed over since the last checkpoint may be on their way."""
    sent_of: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    """By table and reason: `content_tags not-an-outcome-link`."""
    problems: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """All counts, by name."""
        return {one.name: dict(sorted(getattr(self, one.name).items())) for one in fields(self)}

    @classmethod
    def of(cls, counts: Any) -> Self:
        """Read back what `as_dict` gave."""
        return cls(**{name: Counter(inner) for name, inner in counts.items()})


class Problems:
    """The file of rows that could not be used, JSON lines; made with the first of them.

    `size` is its length in bytes: what stands behind it is of a run that was cut off.
    """

    def __init__(self, path: Path | None, size: int = 0) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.size = size
        self.first: list[Trouble] = []
        if path is not None and path.exists():
            # Of an earlier run, or behind where this one goes on.
            with path.open("r+b") as file:
                file.truncate(size)

    def add(self, trouble: Trouble) -> None:
        """Keep one."""
        if len(self.first) < _SHOWN:
            self.first.append(trouble)
        if self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("ab")
        line = msgspec.json.encode(trouble._asdict() | {"explained": EXPLAINED[trouble.problem]}) + b"\n"
        self._file.write(line)
        self.size += len(line)

    def flush(self) -> None:
        """Hand all to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Let the file go; an empty one is removed."""
        if self._file is not None:
            self._file.close()
        if self._path is not None and self.size == 0:
            self._path.unlink(missing_ok=True)

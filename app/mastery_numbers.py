"""Numbers about a worker's mastery that are counted when somebody asks, not while it works."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.definitions.lookup import DefinitionCounts
from app.state.errors import StateError
from app.state.reader import StoreReader
from app.stream.progress import ProgressSnapshot

__all__ = ["MasteryNumbers", "NumbersOfWorker"]

#: Seconds that a count of rows is told again. It takes some 50 ms for a million of them.
_KEPT = 15.0


@dataclass(frozen=True, slots=True)
class MasteryNumbers:
    """What a worker holds. `rows`: of the partitions it owns, None before it owns any."""

    rows: int | None
    definitions: DefinitionCounts


class NumbersOfWorker:
    """Counts rows in the state files, beside the stream that writes them. For any thread."""

    def __init__(
        self,
        folder: Path,
        result_topic: str,
        snapshot: Callable[[], ProgressSnapshot],
        definitions: Callable[[], DefinitionCounts | None],
    ) -> None:
        self._folder = folder
        self._result_topic = result_topic
        self._snapshot = snapshot
        self._definitions = definitions
        self._lock = threading.Lock()
        self._rows: int | None = None
        self._counted_at = -_KEPT

    def __call__(self) -> MasteryNumbers | None:
        """Count now; rows were counted within the last 15 seconds. None before definitions are read."""
        definitions = self._definitions()
        if definitions is None:
            return None
        with self._lock:
            if time.monotonic() >= self._counted_at + _KEPT:
                self._rows = self._count()
                self._counted_at = time.monotonic()
        return MasteryNumbers(self._rows, definitions)

    def _count(self) -> int | None:
        snapshot = self._snapshot()
        if not snapshot.ready:
            return None
        owned = [one.partition for one in snapshot.partitions if one.topic == self._result_topic]
        # A file that goes at this moment belongs to somebody else soon, and is counted there.
        with contextlib.suppress(StateError):
            return sum(self._count_one(partition) for partition in owned)
        return None

    def _count_one(self, partition: int) -> int:
        with StoreReader(self._folder / f"{partition}.db") as reader:
            return reader.count()

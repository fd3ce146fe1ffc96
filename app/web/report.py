"""What a worker tells its web process: who it is at the start, and twice a second how it stands."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from app.definitions.lookup import DefinitionCounts
from app.schemas.known import KnownSchema
from app.settings import Settings
from app.stream.progress import ProgressSnapshot

__all__ = ["Group", "KnownSchemas", "Reports", "Stop", "WebStart", "WorkerReport"]


@dataclass(frozen=True, slots=True)
class Group:
    """The consumer group as the last assignment told of it.

    `distribution`: by the address of each worker's web server, its partitions by topic.
    """

    url: str
    """The worker's own address, as the others know it."""
    distribution: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """How a worker stands. `at` is in seconds since the epoch."""

    at: float
    pid: int
    version: str
    progress: ProgressSnapshot
    group: Group
    definitions: DefinitionCounts | None = None
    """None before they are read."""


@dataclass(frozen=True, slots=True)
class WebStart:
    """The first that a web process is told. `expected`: see ProgressCollector."""

    settings: Settings
    expected: Mapping[str, tuple[str, ...]]
    report: WorkerReport


@dataclass(frozen=True, slots=True)
class KnownSchemas:
    """The schemas that the worker writes with, and those before them."""

    schemas: tuple[KnownSchema, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """The worker ends in good order."""


class Reports:
    """The newest report. One thread tells, any thread asks."""

    def __init__(self, first: WorkerReport, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._latest = first, clock()

    def take(self, report: WorkerReport) -> None:
        """Keep a newer one."""
        self._latest = report, self._clock()

    def latest(self) -> WorkerReport:
        """Return the newest."""
        return self._latest[0]

    def age(self) -> float:
        """Seconds since the newest came."""
        return self._clock() - self._latest[1]

    def snapshot(self) -> ProgressSnapshot:
        """Return the worker's progress; it tells how old it is."""
        report, came_at = self._latest
        return replace(report.progress, age=self._clock() - came_at)

"""One worker: its partitions, positions and restore; settings and versions."""

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import confluent_kafka

from app import __version__
from app.settings import describe
from app.stream.progress import ProgressSnapshot
from app.views.answers import Counts
from app.web.local.ground import Ground
from app.web.models.stream import PartitionLag, SettingValue, StatusAnswer, WorkerStatus
from app.web.security.viewer import Viewer

__all__ = ["Statuses"]

_PACKAGES: Final = (
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "fastavro",
    "fastapi",
    "starlette",
    "uvicorn",
)


class Statuses:
    """Answers about the worker itself."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._versions = _versions()

    async def one(self, viewer: Viewer) -> StatusAnswer:
        """How the worker stands; settings for who may see everything."""
        ground = self._ground
        fresh = ground.freshness()
        counts: Counts = await ground.run(ground.views.counts)
        settings = describe(ground.settings) if viewer.sees_everything else ()
        return StatusAnswer(
            freshness=fresh,
            workers=self._worker(counts),
            settings=tuple(
                SettingValue(
                    name=info.env,
                    value=info.value_shown,
                    set=info.source != "default",
                    description=info.description,
                )
                for info in settings
            ),
            versions=self._versions,
        )

    def _worker(self, counts: Counts) -> tuple[WorkerStatus, ...]:
        report = self._ground.report()
        if report is None:
            return ()
        told = report.progress
        read, left = told.restore or (None, None)
        return (
            WorkerStatus(
                name=self._ground.name,
                phase=told.phase.value,
                detail=told.obstacle or told.detail,
                ready=told.ready,
                version=report.version,
                started_at=told.started_at,
                generation=told.generation,
                partitions=_lags(told),
                rows=counts.rows,
                restore_read=read,
                restore_left=left,
                last_commit_at=told.last_checkpoint_at,
                last_commit_seconds=told.last_checkpoint_seconds,
                checkpoints=told.checkpoints,
                memory_bytes=_memory(report.pid),
            ),
        )


def _lags(told: ProgressSnapshot) -> tuple[PartitionLag, ...]:
    return tuple(
        PartitionLag(
            topic=one.topic, partition=one.partition, committed=one.committed, end=one.end, lag=one.lag
        )
        for one in told.partitions
    )


def _memory(pid: int) -> int | None:
    """Bytes that a process has in memory; None where the system does not tell in Linux's way."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123 - no file of ours
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _versions() -> dict[str, str]:
    versions = {
        "mastery-stream": __version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "librdkafka": str(confluent_kafka.libversion()[0]),
    }
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions

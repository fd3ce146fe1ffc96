"""The fixtures' hands: start runs one after the other, end each, and keep what became of it."""

import sys
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pytest

from app.settings import Settings, load_settings
from tests.chaos.record import RunRecord

if TYPE_CHECKING:
    from tests.chaos.run import FaultRun

__all__ = ["FAILURE", "Cluster", "Runs", "worker_settings"]

#: Why a test failed, as long as it is torn down: "" if it did not, nothing if it was interrupted.
FAILURE = pytest.StashKey[str]()
_Run = TypeVar("_Run", bound="FaultRun")


def worker_settings(bootstrap: str, **changes: Any) -> Settings:
    """Settings of the workers of one run. A worker is given up after 2 s."""
    defaults = {
        "broker": bootstrap,
        "topic_prefix": f"t{uuid.uuid4().hex[:12]}.",
        "partitions": 4,
        "session_timeout": 2.0,
        "startup_timeout": 30.0,
        # Hundreds of starts: the view is another process's, and has tests of its own.
        "web_view": False,
    }
    return load_settings(**(defaults | changes))


class Cluster(Protocol):
    """What a run needs of a Kafka: tests.kafka.server.KafkaServer has it."""

    @property
    def bootstrap(self) -> str:
        """Address for clients."""

    @property
    def running(self) -> bool:
        """Whether its processes live."""

    def thaw(self) -> None:
        """Let it go on after a freeze."""


class Runs(Generic[_Run]):
    """Makes runs: `runs(seed=1)` ends the run before it and returns a started one, with topics of its own.

    `make` gets the settings, the folder and what the caller gave beside `seed` and changes of settings.
    """

    def __init__(
        self,
        request: pytest.FixtureRequest,
        folder: Path,
        settings: Callable[..., Settings],
        make: Callable[..., _Run],
    ) -> None:
        self._request, self._folder, self._settings, self._make = request, folder, settings, make
        self._open: list[_Run] = []
        self._count = 0

    def __call__(
        self,
        *,
        seed: int,
        rate: int | None = None,
        kafka: Cluster | None = None,
        part: str = "",
        **changes: Any,
    ) -> _Run:
        """Start a run. `changes` are settings of its workers; `kafka` another cluster than the shared one.

        `part` names one of several runs of the same scenario and seed.
        """
        self.close()
        self._count += 1
        cluster: Cluster = kafka if kafka is not None else self._request.getfixturevalue("kafka")
        folder = self._folder / f"run-{self._count}"
        folder.mkdir()
        settings = self._settings(cluster.bootstrap, **changes)
        record = RunRecord(self._name(), seed, part=part)
        run = self._make(cluster, settings, folder, seed=_own(record), rate=rate, record=record)
        self._open.append(run)
        try:
            run.__enter__()
        except BaseException:
            run.__exit__(None, None, None)
            raise
        return run

    def close(self, failure: str | None = "") -> None:
        """End the run that is open, if any, and write its record.

        `failure` is empty when all went well, None when nobody knows: the test was interrupted.
        """
        if failure is None:
            failure = "interrupted"
        while self._open:
            run = self._open.pop()
            logs = {worker.name: worker.log for worker in run.workers}
            run.__exit__(None, None, None)
            run.measure(own_exits=len(run.own_exits))
            run.record.write(failure or None, first_wrong=run.first_wrong, logs=logs)
            if failure:
                # pytest shows it below the failure.
                sys.stdout.write(f"timeline, first wrong record and logs: {run.record.report_file}\n")

    def _name(self) -> str:
        marker = self._request.node.get_closest_marker("scenario")
        return marker.kwargs["name"] if marker is not None else self._request.node.name


def _own(record: RunRecord) -> int:
    """Return a seed for the workload: each scenario has other events."""
    return zlib.crc32(f"{record.scenario} {record.part} {record.seed}".encode()) % 1_000_000

"""Runs copying workers as processes, and says what became of the records."""

import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.embedded.child import ChildProcess
from tests.stream.copying_worker import Job, fault_happened
from tests.support.records import CommittedOffsets, create_topic, end_offsets, produce, read_all
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT

__all__ = ["CopyingWorker", "Outcome", "Scene", "fault_and_restart"]

#: Seconds that a worker may take for anything.
_PATIENCE = 40.0
#: Seconds without a commit after which a worker is taken to do nothing any more; Faust takes 1 s to stop.
_QUIET = 2.5


@dataclass(frozen=True)
class Scene:
    """A pair of topics and a group of its own. `params` are those of the test."""

    bootstrap: str
    name: str
    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return f"{self.name}-in"

    @property
    def target(self) -> str:
        return f"{self.name}-out"

    def create_topics(self, partitions: int = 1) -> None:
        create_topic(self.bootstrap, self.source, partitions=partitions)
        # A fault is a record that is larger.
        create_topic(self.bootstrap, self.target, partitions=partitions, max_message_bytes="2048")

    def job(self, *, core: bool = True, **options: Any) -> Job:
        return Job(
            core, self.bootstrap, self.name, self.source, self.target, folder=str(self.folder), **options
        )

    def positions(self) -> dict[int, int]:
        """What the group has committed, by partition."""
        offsets = CommittedOffsets(self.bootstrap, self.name, [self.source])
        try:
            return {partition: offset for (_, partition), offset in offsets.read().items()}
        finally:
            offsets.close()

    def copied(self) -> Counter[bytes | None]:
        """Values that a read_committed reader finds in the target once no transaction is open.

        What a killed worker left open is aborted after 10 s, or as soon as it comes back.
        """
        targets = [self.target]
        wait_until(
            lambda: (
                end_offsets(self.bootstrap, targets, committed=True) == end_offsets(self.bootstrap, targets)
            ),
            timeout=30.0,
            what="the end of transactions",
            interval=0.2,
        )
        return Counter(record.value for record in read_all(self.bootstrap, self.target))


class CopyingWorker:
    """One worker as a process. `pure` is without Faust's compiled stream."""

    def __init__(self, scene: Scene, job: Job, *, pure: bool = False) -> None:
        self._scene = scene
        self._log = scene.folder / f"{job.name}.log"
        environment = {name: value for name, value in os.environ.items() if name != "NO_CYTHON"}
        environment |= {"NO_CYTHON": "1"} if pure else {}
        self._child = ChildProcess(
            [sys.executable, "-m", "tests.stream.copying_worker", job.to_json()],
            output=self._log,
            env=environment | {"PYTHONPATH": str(CHECKOUT)},
            cwd=CHECKOUT,
        )

    @contextmanager
    def running(self) -> Iterator["CopyingWorker"]:
        """Start it, and end it with SIGKILL if it still runs after the block."""
        self._child.start()
        try:
            yield self
        finally:
            self._child.kill()

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._child.returncode

    @property
    def log(self) -> str:
        """The last lines that it printed."""
        return self._child.tail(60)

    def logged(self, text: str) -> list[str]:
        """All lines of its log with that text."""
        return [line for line in self._log.read_text().splitlines() if text in line]

    def wait_for_log(self, text: str) -> None:
        """Wait until it prints that."""
        deadline = time.monotonic() + _PATIENCE
        while not self.logged(text):
            if self.exit_status is not None or time.monotonic() > deadline:
                raise RuntimeError(f"never printed {text!r}, exit status {self.exit_status}\n{self.log}")
            time.sleep(0.05)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """SIGSTOP during the block, then SIGCONT."""
        self._child.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._child.signal(signal.SIGCONT)

    def terminate(self, timeout: float = 30.0) -> int:
        """SIGTERM; return the exit status."""
        self._child.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = _PATIENCE) -> int:
        """Wait for its end; return the exit status."""
        try:
            return self._child.wait(timeout)
        except TimeoutError:
            raise RuntimeError(f"the worker still runs\n{self.log}") from None

    def wait_for_records(self, count: int) -> None:
        """Wait until so many records are committed; RuntimeError when it does not come to that."""
        deadline = time.monotonic() + _PATIENCE
        while (done := sum(self._scene.positions().values())) < count:
            if self.exit_status is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{done} records done, exit status {self.exit_status}\n{self.log}")
            time.sleep(0.1)

    def wait_for_effect_of_fault(self, count: int) -> None:
        """Wait until the process ends, so many records are done, or nothing happens after the fault."""
        deadline = time.monotonic() + _PATIENCE
        seen, changed = 0, math.inf
        while self.exit_status is None and seen < count and time.monotonic() - changed < _QUIET:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{seen} records done\n{self.log}")
            time.sleep(0.1)
            now = sum(self._scene.positions().values())
            if now != seen or (changed == math.inf and fault_happened(self._scene.folder).exists()):
                seen, changed = now, time.monotonic()


@dataclass(frozen=True)
class Outcome:
    """What became of the records. `exit_status` is that of the first run, None when it had to be killed."""

    exit_status: int | None
    lost: list[bytes]
    twice: list[bytes]
    log: str


def fault_and_restart(scene: Scene, job: Job, values: Sequence[bytes], *, pure: bool = False) -> Outcome:
    """Run a worker until its fault has had its effect, kill it if it lives on, and let another finish.

    Raises RuntimeError when the fault does not happen, or the second run does not get through.
    """
    scene.create_topics()
    produce(scene.bootstrap, scene.source, values, partition=0)
    with CopyingWorker(scene, job, pure=pure).running() as first:
        first.wait_for_effect_of_fault(len(values))
        exit_status, log = first.exit_status, first.log
    if not fault_happened(scene.folder).exists():
        raise RuntimeError(f"the fault did not happen\n{log}")
    with CopyingWorker(scene, replace(job, workers=1), pure=pure).running() as second:
        second.wait_for_records(len(values))
    found = scene.copied()
    return Outcome(
        exit_status,
        lost=[value for value in values if not found[value]],
        twice=[value for value in values if found[value] > 1],
        log=log,
    )

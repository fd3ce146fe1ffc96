"""Runs copying workers as processes, and says what became of the records."""

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.embedded.child import ChildProcess
from tests.stream.copying_worker import Job, fault_happened
from tests.support.records import committed_offsets, create_topic, produce, read_all
from tests.support.worker import CHECKOUT

__all__ = ["CopyingWorker", "Outcome", "fault_and_restart"]

#: Seconds that a worker may take for anything.
_PATIENCE = 40.0
#: Seconds without a commit after which a worker is taken to do nothing any more.
_QUIET = 1.0


class CopyingWorker:
    """One worker as a process; `with` ends it with SIGKILL. `pure` is without Faust's compiled stream."""

    def __init__(self, job: Job, *, pure: bool = False) -> None:
        self.job = job
        Path(job.folder).mkdir(exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "NO_CYTHON"}
        environment |= {"NO_CYTHON": "1"} if pure else {}
        self.child = ChildProcess(
            [sys.executable, "-m", "tests.stream.copying_worker", job.to_json()],
            output=Path(job.folder) / f"{job.name}.log",
            env=environment | {"PYTHONPATH": str(CHECKOUT)},
            cwd=CHECKOUT,
        )

    def __enter__(self) -> Self:
        self.child.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()

    @property
    def position(self) -> int:
        """What the group has committed of partition 0."""
        return committed_offsets(self.job.bootstrap, self.job.group, [self.job.source]).get(
            (self.job.source, 0), 0
        )

    def wait_for_position(self, position: int) -> None:
        """Wait until partition 0 is committed up to there; RuntimeError when it does not come to that."""
        deadline = time.monotonic() + _PATIENCE
        while self.position < position:
            if not self.child.running or time.monotonic() > deadline:
                raise RuntimeError(
                    f"position {self.position}, exit status {self.child.returncode}\n{self.child.tail(30)}"
                )
            time.sleep(0.05)

    def wait_for_end_or_rest(self, position: int) -> None:
        """Wait until the process ends, the position is reached, or nothing happens after the fault."""
        deadline = time.monotonic() + _PATIENCE
        seen = self.position
        changed = math.inf
        while self.child.running and seen < position and time.monotonic() - changed < _QUIET:
            if time.monotonic() > deadline:
                raise RuntimeError(f"position {seen}\n{self.child.tail(30)}")
            time.sleep(0.05)
            now = self.position
            if now != seen or (changed == math.inf and fault_happened(self.job.folder).exists()):
                seen, changed = now, time.monotonic()


@dataclass(frozen=True)
class Outcome:
    """What became of the records after a fault and a restart. `exit_status` is that of the first run."""

    exit_status: int | None
    lost: list[bytes]
    twice: list[bytes]
    log: str


def fault_and_restart(job: Job, values: Sequence[bytes], *, pure: bool = False) -> Outcome:
    """Run a worker until its fault has had its effect, kill it if it lives on, and let another finish.

    Makes the topics. Raises RuntimeError when the second run does not get through.
    """
    create_topic(job.bootstrap, job.source)
    create_topic(job.bootstrap, job.target, max_message_bytes="2048")
    produce(job.bootstrap, job.source, values, partition=0)
    with CopyingWorker(job, pure=pure) as first:
        first.wait_for_end_or_rest(len(values))
        exit_status = first.child.returncode
        log = first.child.tail(30)
    if not fault_happened(job.folder).exists():
        raise RuntimeError(f"the fault did not happen\n{log}")
    with CopyingWorker(replace(job, workers=1), pure=pure) as second:
        second.wait_for_position(len(values))
    found = Counter(record.value for record in read_all(job.bootstrap, job.target))
    return Outcome(
        exit_status,
        lost=[value for value in values if not found[value]],
        twice=[value for value in values if found[value] > 1],
        log=log,
    )

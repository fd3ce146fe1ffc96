"""A worker whose life is noted: starts, signals, and how long it took to be ready."""

import signal
import time
from typing import Any

from tests.chaos.record import RunRecord
from tests.support.worker import WorkerProcess

__all__ = ["WatchedWorker"]


class WatchedWorker(WorkerProcess):
    """WorkerProcess that tells a record what is done to it."""

    def __init__(self, *arguments: Any, record: RunRecord, fault: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._record = record
        self._fault = f", {fault}" if fault else ""
        self._started_at = 0.0

    def start(self) -> None:
        """Start it; returns before it is ready."""
        self._record.note(f"start {self.name}{self._fault}")
        self._record.count(starts=1)
        self._started_at = time.monotonic()
        super().start()

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until it is ready."""
        super().wait_ready(timeout)
        seconds = time.monotonic() - self._started_at
        self._record.note(f"{self.name} ready after {seconds:.2f} s")
        self._record.append(seconds_to_ready=seconds)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for the end."""
        status = super().wait(timeout)
        self._record.note(f"{self.name} ended with {status}")
        if status == -signal.SIGKILL:
            # By its own hand: `kill` waits in another way.
            self._record.count(kills=1)
        return status

    def terminate(self) -> None:
        """SIGTERM."""
        self._record.note(f"SIGTERM {self.name}")
        self._record.count(sigterms=1)
        super().terminate()

    def kill(self) -> None:
        """kill -9."""
        if self.running:
            self._record.note(f"kill -9 {self.name}")
            self._record.count(kills=1)
        super().kill()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._record.note(f"SIGSTOP {self.name}")
        self._record.count(freezes=1)
        super().freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self._record.note(f"SIGCONT {self.name}")
        super().thaw()

    def end(self) -> None:
        """Kill it because the run is over, which is no fault."""
        super().kill()

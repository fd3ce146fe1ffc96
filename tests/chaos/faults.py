"""Faults as they are noted: what there was left to do, and how long it took until work went on."""

import threading
import time
from collections.abc import Mapping

from tests.chaos.record import RunRecord

__all__ = ["Fault", "RecoveryClock"]


class Fault:
    """One fault. `left`: how many events were fed before it and not committed after it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.left = 0


class RecoveryClock:
    """Measures the time from the end of a fault to the first commit after it.

    `saw` is told every sample of committed offsets, `began` what is committed right after a fault.
    """

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._since: float | None = None
        self._before = 0

    def began(self, committed: Mapping[int, int]) -> None:
        """Start, at the end of a fault. One that did not end before the next fault is forgotten."""
        with self._lock:
            self._since, self._before = time.monotonic(), sum(committed.values())

    def saw(self, committed: Mapping[int, int]) -> None:
        """Take a sample; the first that is higher ends the measurement."""
        with self._lock:
            if self._since is None or sum(committed.values()) <= self._before:
                return
            seconds, self._since = time.monotonic() - self._since, None
        self._record.append(seconds_to_commit=seconds)
        self._record.note(f"first commit {seconds:.2f} s after the fault")

"""How much memory processes take, over time."""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

__all__ = ["Memory", "Sample", "resident", "slope"]

_KIB = 1024


class Sample(NamedTuple):
    """One look at a process."""

    seconds: float
    """Since the first one."""
    events: int
    """Committed by then."""
    bytes: int
    """Resident, with all child processes."""


def resident(pid: int) -> int:
    """Return the resident bytes of a process and of its children; 0 when it has ended. Linux only."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        own = next((int(line.split()[1]) * _KIB for line in status.splitlines() if "VmRSS:" in line), 0)
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0
    return own + sum(map(resident, children))


def slope(samples: Sequence[Sample]) -> float:
    """Return the bytes that come with each event: the line of least squares through the samples."""
    line = statistics.linear_regression([one.events for one in samples], [one.bytes for one in samples])
    return line.slope


class Memory:
    """A thread that looks at a process twice a second."""

    def __init__(self, pid: int, events: Callable[[], int]) -> None:
        self.samples: list[Sample] = []
        self._pid, self._events = pid, events
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30.0)

    @property
    def peak(self) -> int:
        """The most bytes that were seen."""
        return max(one.bytes for one in self.samples)

    def _run(self) -> None:
        begun_at = time.monotonic()
        while not self._stopping.wait(0.5):
            events = self._events()
            if found := resident(self._pid):
                self.samples.append(Sample(time.monotonic() - begun_at, events, found))

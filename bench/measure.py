"""What a run cost: time as the broker shows it, processor and memory from /proc; the same for all.

* **Time** runs from the moment the first outputs are visible to a read_committed consumer to the moment the
  last ones are; those of the first moment are not counted as work of that time. Starting up is left out.
* **Processor seconds** are those of the worker with all its children, from the first outputs until all input
  offsets are committed, over the events of that time.
* **Memory** is the peak resident size of the worker and its children together.
* **Warm** are the figures of the second half of the outputs alone: what a long-lived process does, above all
  one of a JVM, which compiles its code while it runs.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Figures", "ProcessTree", "RunFailed", "watch"]

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY = 0.05
_STALLED_AFTER = 90.0


class RunFailed(Exception):
    """A run that gave no figures: the worker ended, stalled, or wrote something other than it should."""


class ProcessTree:
    """Processes and their children, as Linux accounts for them."""

    def __init__(self, *pids: int) -> None:
        self._roots = pids

    @property
    def first(self) -> int:
        """The first process, without its children."""
        return self._roots[0]

    def _pids(self) -> list[int]:
        pids, found = list(self._roots), []
        while pids:
            pid = pids.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    pids.extend(map(int, task.read_text().split()))
                except OSError:
                    continue
        return found

    def cpu_seconds(self) -> float:
        """User and system time so far, of ended and waited-for children too."""
        ticks = 0
        for pid in self._pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))
        return ticks / _TICKS

    def memory_mb(self, field: str) -> float:
        """The sum of a figure of the kernel's: `VmRSS` is the resident size, `VmHWM` its peak."""
        total = 0
        for pid in self._pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith(field)), 0)
        return total * 1024 / 1e6

    def peak_rss_mb(self) -> float:
        """The sum of the peak resident sizes, in MB."""
        return self.memory_mb("VmHWM")


@dataclass(frozen=True, slots=True)
class Figures:
    """The cost of one run."""

    events: int
    seconds: float
    """From the first visible output to the last."""
    events_per_second: float
    cpu_per_100k: float
    """Processor seconds of the worker per 100,000 events."""
    cpu_whole_life: float
    """Processor seconds of the worker from its start until everything was committed."""
    peak_rss_mb: float
    broker_cpu_per_100k: float | None
    """Processor seconds of the broker per 100,000 events; None when the broker is not ours."""
    first_output_after: float
    """Seconds from the start of the process to the first output."""
    committed_after: float
    """Seconds from the last output to the commit of all input offsets."""
    warm_events_per_second: float
    """Of the second half."""
    warm_cpu_per_100k: float


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    visible: int
    cpu: float
    broker_cpu: float
    broker: bool


def watch(
    worker: ProcessTree,
    broker: ProcessTree | None,
    events: int,
    *,
    visible: Callable[[], int],
    committed: Callable[[], bool],
    alive: Callable[[], bool],
) -> Figures:
    """Follow a freshly started worker until `events` outputs are visible and the input is committed.

    `visible` counts the offsets a read_committed consumer could reach (transaction markers included),
    `committed` says whether all input offsets are committed. Raises RunFailed when the worker ends or nothing
    happens for 90 s.
    """
    started = time.monotonic()

    def look() -> _Look:
        seen = visible()
        return _Look(
            time.monotonic(),
            seen,
            worker.cpu_seconds(),
            broker.cpu_seconds() if broker else 0.0,
            broker is not None,
        )

    first = last = look()
    # When half of the outputs were there.
    half: _Look | None = None
    while True:
        time.sleep(_LOOK_EVERY)
        now = look()
        if now.visible != last.visible:
            last = now
            first = first if first.visible else now
            half = half or (now if now.visible >= events / 2 else None)
        if last.visible >= events and committed():
            break
        if not alive():
            raise RunFailed("the worker ended")
        if now.at - last.at > _STALLED_AFTER:
            raise RunFailed(f"stalled at {last.visible} of {events} outputs, all committed: {committed()}")
    done = look()
    if first.visible >= events:
        raise RunFailed("everything was there at the first look: more events are needed for a figure")
    if done.visible != last.visible:
        last = done
    return replace(_figures(events, started, first, half, last, done), peak_rss_mb=worker.peak_rss_mb())


def _figures(
    events: int, started: float, first: _Look, half: _Look | None, last: _Look, done: _Look
) -> Figures:
    if half is None or half.at >= last.at:
        half = first
    counted = events - first.visible
    warm = events - half.visible
    return Figures(
        events=events,
        seconds=last.at - first.at,
        events_per_second=counted / (last.at - first.at),
        cpu_per_100k=(done.cpu - first.cpu) / counted * 1e5,
        cpu_whole_life=done.cpu,
        peak_rss_mb=0.0,
        broker_cpu_per_100k=(done.broker_cpu - first.broker_cpu) / counted * 1e5 if done.broker else None,
        first_output_after=first.at - started,
        committed_after=done.at - last.at,
        warm_events_per_second=warm / (last.at - half.at),
        warm_cpu_per_100k=(done.cpu - half.cpu) / warm * 1e5,
    )

"""Rates of what a worker does, from its successive reports."""

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from app.web.report import WorkerReport

__all__ = ["Rates"]

#: Seconds over which a rate is taken.
_WINDOW: Final = 10.0


class _Seen(NamedTuple):
    at: float
    pid: int
    events: Mapping[str, int]
    raw: int


class Rates:
    """Takes in each report; tells records a second of late. For any threads."""

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque()
        self._lock = threading.Lock()

    def take(self, report: WorkerReport) -> None:
        """Note what was committed up to now."""
        told = report.progress
        raw = sum(told.events.values()) + sum(told.dead_letters.values()) + sum(told.ignored.values())
        with self._lock:
            if self._seen and self._seen[-1].pid != report.pid:
                self._seen.clear()
            if not self._seen or report.at > self._seen[-1].at:
                self._seen.append(_Seen(report.at, report.pid, told.events, raw))
            while len(self._seen) > 2 and self._seen[1].at <= report.at - _WINDOW:
                self._seen.popleft()

    def raw(self) -> float:
        """Raw records a second."""
        first, last = self._ends()
        return 0.0 if first is None or last is None else (last.raw - first.raw) / (last.at - first.at)

    def event(self, name: str) -> float:
        """Records of one event a second."""
        first, last = self._ends()
        if first is None or last is None:
            return 0.0
        return (last.events.get(name, 0) - first.events.get(name, 0)) / (last.at - first.at)

    def _ends(self) -> tuple[_Seen | None, _Seen | None]:
        with self._lock:
            return (self._seen[0], self._seen[-1]) if len(self._seen) > 1 else (None, None)

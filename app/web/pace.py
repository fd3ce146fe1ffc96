"""How much of a core the view may take: little while the stream has much to do."""

from typing import Final

from app.stream.progress import Phase, ProgressSnapshot
from app.web.report import WorkerReport

__all__ = ["BUSY", "Pace"]

#: Share of a core while the stream is busy.
BUSY: Final = 0.25

#: Records a second that keep no core busy: a worker does some thousands.
_MANY: Final = 300.0

#: Offsets that are caught up with in a moment.
_BEHIND: Final = 1_000


class Pace:
    """Takes in each report, and says which share of a core what is built beside the stream may take."""

    def __init__(self) -> None:
        self._before: tuple[float, int] | None = None
        self._share = BUSY

    def take(self, report: WorkerReport) -> None:
        """Note how busy the stream has been since the report before."""
        snapshot = report.progress
        handled = sum(snapshot.events.values()) + snapshot.mastery.get("results", 0)
        before, self._before = self._before, (report.at, handled)
        if before is None:
            return
        rate = (handled - before[1]) / max(0.1, report.at - before[0])
        self._share = BUSY if _has_work(snapshot) or rate > _MANY else 1.0

    def share(self) -> float:
        """Return it, above 0 and at most 1."""
        return self._share


def _has_work(snapshot: ProgressSnapshot) -> bool:
    if snapshot.phase is Phase.RESTORING:
        return True
    return snapshot.behind > _BEHIND

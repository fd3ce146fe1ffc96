"""What a worker's own answers are made from, and how fresh that is."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit

from app.definitions.reader import DefinitionReader
from app.settings import Settings
from app.state.errors import StateError
from app.stream.progress import Phase
from app.views.answers import PartitionView
from app.views.errors import CursorUnfit, QueryTooSlow, ViewError
from app.views.views import Views
from app.web.models.base import Freshness, PartitionState, WorkerAnswer, WorkerState
from app.web.problems import BadParameter, NotFound, NotReady, TooSlow
from app.web.report import WorkerReport

__all__ = ["Ground"]

#: Seconds for one answer's look-ups together: other workers wait 2 s for it.
_LONGEST: Final = 1.9
_RETRY: Final = {"Retry-After": "2"}
#: Seconds that a view may lie behind before its "there is none" is not believed.
_STALE: Final = 5.0

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that is looked at. `report()`: the worker's newest; None where there is no worker."""

    settings: Settings
    views: Views
    definitions: DefinitionReader
    report: Callable[[], WorkerReport | None]
    executor: Executor
    clock: Callable[[], float] = time.time

    async def run(self, look: Callable[..., _Found], /, *args: object, **more: object) -> _Found:
        """Look things up in a thread, within the time limit.

        Raises:
            TooSlow: it takes too long.
            BadParameter: a cursor of another list, or no Unicode.
            NotReady: a file cannot be read now.
        """
        running = asyncio.get_running_loop().run_in_executor(self.executor, partial(look, *args, **more))
        try:
            return await asyncio.wait_for(running, _LONGEST)
        except (TimeoutError, QueryTooSlow):
            raise TooSlow(
                f"this takes longer than {_LONGEST:.0f} s", hint="ask for less at a time", headers=_RETRY
            ) from None
        except UnicodeEncodeError:
            raise BadParameter("half of a character is no text that anything is called by") from None
        except CursorUnfit as error:
            raise BadParameter(str(error), hint=error.hint, parameter="cursor") from None
        except (ViewError, StateError) as error:
            raise NotReady(
                "the files of this worker's rows cannot be read at the moment",
                hint=error.hint,
                headers=_RETRY,
            ) from None

    def owned(self) -> frozenset[int]:
        """Partitions of rows that the worker has."""
        report = self.report()
        if report is None:
            return frozenset()
        topic = self.settings.result_topics[0]
        return frozenset(one.partition for one in report.progress.partitions if one.topic == topic)

    @property
    def name(self) -> str:
        """HOST:PORT of this worker, as the others know it."""
        report = self.report()
        url = "" if report is None else report.group.url
        return urlsplit(url).netloc or "this worker"

    def freshness(self) -> Freshness:
        """How fresh the rows are that can be seen now."""
        now, report = self.clock(), self.report()
        owned, views = self.owned(), self.views.states()
        held = {partition: views[partition] for partition in owned if partition in views}
        as_of = min([view.current_at for view in held.values() if view.ready], default=now)
        # Known once each partition has been fetched from.
        lags = [None] if report is None else [one.lag for one in report.progress.partitions]
        known = [lag for lag in lags if lag is not None]
        missing = sorted(
            partition for partition in owned if partition not in held or not held[partition].ready
        )
        state = WorkerState.RESTORING if missing or not self.assigned else WorkerState.ANSWERED
        worker = WorkerAnswer(
            name=self.name,
            state=state,
            detail=self._detail(missing) if state is WorkerState.RESTORING else None,
            partitions=tuple(_partition_state(one, views.get(one)) for one in sorted(owned)),
            progress=self.progress() if state is WorkerState.RESTORING else None,
        )
        return Freshness(
            as_of=as_of,
            behind_seconds=max(0.0, now - as_of),
            behind_records=sum(known) if len(known) == len(lags) and self.assigned else None,
            workers=(worker,),
        )

    @property
    def assigned(self) -> bool:
        """Whether the worker runs with its partitions, all of their rows restored."""
        report = self.report()
        return report is not None and report.progress.phase is Phase.RUNNING

    def progress(self) -> float:
        """0 to 1: how far the restore of the rows is, then the first reading of the views."""
        report = self.report()
        if report is None or (not self.assigned and report.progress.restore is None):
            return 0.0
        if not self.assigned and report.progress.restore is not None:
            read, left = report.progress.restore
            return read / (read + left) if read + left else 0.0
        owned, views = self.owned(), self.views.states()
        told = [views[one].progress if one in views else 0.0 for one in owned]
        return sum(told) / len(told) if told else 1.0

    def require_views(self) -> None:
        """Raise NotReady unless what the views do not have is nowhere in this worker's partitions.

        To be asked where nothing was found: a view that is not there yet, or lies behind, proves nothing.
        """
        owned, views = self.owned(), self.views.states()
        ready = all(one in views and views[one].ready for one in owned)
        current = ready and all(self.clock() - views[one].current_at < _STALE for one in owned)
        if not self.assigned or not current:
            raise self.not_ready()

    def not_found(self, message: str, *, hint: str) -> NotFound:
        """The problem that there is nothing; it tells other workers in which partitions there is not."""
        return NotFound(message, hint=hint, partitions=sorted(self.owned()))

    def require_rows(self, partition: int) -> None:
        """Raise NotReady unless the worker has the rows of a partition, restored."""
        if not self.assigned or partition not in self.owned():
            raise self.not_ready()

    def not_ready(self) -> NotReady:
        """The problem that says how far it is."""
        return NotReady(
            "the rows that may hold it are being restored, or move between workers",
            hint="ask again in a moment; /status tells how far it is",
            headers=_RETRY,
            progress=round(self.progress(), 4),
        )

    def _detail(self, missing: list[int]) -> str:
        report = self.report()
        if report is None:
            return "the worker has not told of itself"
        if not self.assigned:
            return report.progress.detail or report.progress.phase.value
        return f"partitions {', '.join(map(str, missing))} are still being read"


def _partition_state(partition: int, view: PartitionView | None) -> PartitionState:
    if view is None:
        return PartitionState(partition=partition, applied=None, end=None, restoring=True)
    return PartitionState(partition=partition, applied=view.applied, end=view.end, restoring=not view.ready)

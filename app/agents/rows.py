"""The rows of mastery as the stream keeps them: restored at a take-over, written along with checkpoints."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from app.mastery.blob import BlobError
from app.mastery.forgotten import PREFIX, Forgotten
from app.state.errors import ChangelogUnusable
from app.state.restore import RestoreProgress
from app.state.table import StateTable
from app.stream.batch import Assignment
from app.stream.errors import PartitionsMismatch
from app.stream.progress import Phase, Progress

__all__ = ["MasteryRows"]


class MasteryRows:
    """Brings table and definitions to where a partition's next result can be applied. A StateSink.

    `topics` are the inputs that are made into rows. `catch_up` blocks until the definitions are those of now,
    or until cancelled (then False). `forgotten` is filled with the marks of the partitions owned.
    """

    def __init__(
        self,
        table: StateTable,
        topics: Iterable[str],
        catch_up: Callable[[Callable[[], bool]], bool],
        progress: Progress,
        forgotten: dict[int, Forgotten] | None = None,
    ) -> None:
        self._table = table
        self._topics = tuple(topics)
        self._forgotten = {} if forgotten is None else forgotten
        self._catch_up = catch_up
        self._progress = progress

    def take_over(self, assignment: Assignment, cancelled: Callable[[], bool]) -> bool:
        """Restore the rows of the partitions assigned, then wait for the definitions.

        Raises:
            PartitionsMismatch: the topics were not assigned partition by partition.
            StateError: see StateTable.take_over.
        """
        partitions = self._partitions(assignment)
        report = _Report(self._progress, partitions, cancelled)
        report.say(f"restoring {len(partitions)} partitions of state")
        if not self._table.take_over(partitions, cancelled=cancelled, report=report):
            return False
        self._load_marks()
        report.say("reading the definitions to their end")
        return self._catch_up(cancelled)

    def give_up(self) -> None:
        """Forget what was not committed."""
        self._table.give_up()

    def write(self, changes: Iterable[Any]) -> None:
        """Write what was committed."""
        self._table.write(changes)

    def release(self, changes: Iterable[Any]) -> None:
        """Take what was written out of memory."""
        self._table.release(changes)

    def _load_marks(self) -> None:
        self._forgotten.clear()
        for partition in self._table.partitions:
            try:
                forgotten = Forgotten.read(self._table.marks(partition, PREFIX))
            except BlobError as error:
                raise ChangelogUnusable(f"state of partition {partition}: {error}") from None
            self._forgotten[partition] = forgotten

    def _partitions(self, assignment: Assignment) -> frozenset[int]:
        together = [
            frozenset(number for topic, number in assignment.partitions if topic == wanted)
            for wanted in self._topics
        ]
        if len(set(together)) > 1:
            raise PartitionsMismatch(
                f"{' and '.join(self._topics)} are not assigned with the same partitions",
                hint="they must have one partition count: `mastery topics check`",
            )
        return together[0]


class _Report:
    """Tells how far the restore has come, over all partitions. Called by the one thread that restores."""

    def __init__(
        self, progress: Progress, partitions: Collection[int], cancelled: Callable[[], bool]
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._latest: dict[int, RestoreProgress] = {}
        self._count = len(partitions)

    def say(self, detail: str) -> None:
        # Cancelled, the worker does something else by now: rebalances, stops or has failed.
        if not self._cancelled():
            self._progress.enter(Phase.RESTORING, detail)

    def __call__(self, progress: RestoreProgress) -> None:
        self._latest[progress.partition] = progress
        left = sum(max(0, one.end - one.position) for one in self._latest.values())
        done = sum(one.position - one.start for one in self._latest.values())
        self._progress.restored(done, left)
        self.say(f"restoring {self._count} partitions of state: {done} records read, {left} known to be left")

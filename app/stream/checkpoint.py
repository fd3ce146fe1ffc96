"""The checkpoint: decides when the open transaction is committed, and what may still go into it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from app.stream.batch import Assignment, Output, RecordBatch
from app.stream.errors import CheckpointFailed
from app.stream.group_metadata import encode_group_metadata
from app.stream.producer import TransactionalProducer
from app.stream.progress import Progress

__all__ = ["Checkpointer"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Transaction:
    """What the open transaction holds so far."""

    assignment: Assignment
    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(self, batch: RecordBatch, output: Output) -> None:
        self.positions[batch.topic, batch.partition] = batch.position
        self.events.update(output.events)
        self.dead_letters.update(output.dead_letters)
        self.ignored.update(output.ignored)


class Checkpointer:
    """Writes batches into transactions and commits them, one transaction at a time.

    A commit starts as soon as there is work and the last one ended `interval` seconds ago. It runs in a
    thread; meanwhile agents decode and encode the next batches and wait with them in `write`. Used from the
    event loop only.

    Which batches may be written is decided by the current assignment, compared by identity: `drain` takes it
    away, `open` sets the next one. A batch of another assignment is dropped, as it will be read again by
    whoever owns its partition. So nothing is acknowledged one by one, and nothing has to be waited for but
    the commit itself.
    """

    def __init__(
        self,
        producer: TransactionalProducer,
        progress: Progress,
        group_id: str,
        *,
        interval: float,
        on_failure: Callable[[CheckpointFailed], None],
    ) -> None:
        self._producer = producer
        self._progress = progress
        self._group_id = group_id
        self._interval = interval
        self._on_failure = on_failure
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._assignment: Assignment | None = None
        self._open: _Transaction | None = None
        self._commit: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended_at = 0.0
        self._failure: CheckpointFailed | None = None

    def open(self, assignment: Assignment) -> None:
        """Take batches of this assignment from now on."""
        self._assignment = assignment

    def is_current(self, assignment: Assignment) -> bool:
        """True while batches of this assignment can be written."""
        return assignment is self._assignment and self._failure is None

    async def write(self, batch: RecordBatch, output: Output) -> bool:
        """Put a batch's output into the open transaction; True when it went in, False when it was dropped.

        Waits while a commit is on its way: librdkafka takes no records between commit and the next begin.

        Raises:
            CheckpointFailed: an earlier checkpoint failed; nothing can be written any more.
        """
        await self._settled()
        self._raise_failure()
        if not self.is_current(batch.assignment):
            return False
        if self._open is None:
            self._producer.begin()
            self._open = _Transaction(batch.assignment)
        self._producer.produce(output)
        self._open.add(batch, output)
        self._schedule()
        return True

    async def drain(self) -> None:
        """Take no more batches and commit what is in the open transaction. Does nothing after a failure.

        Raises:
            CheckpointFailed: the last transaction could not be committed.
        """
        self._assignment = None
        await self._settled()
        if self._failure is None and self._open is not None:
            self._start()
            await self._settled()
            self._raise_failure()

    def close(self) -> None:
        """Give up an open transaction and let the thread go. To be called once, at the end."""
        self._assignment = None
        if self._timer is not None:
            self._timer.cancel()
        if self._open is not None and self._commit is None:
            self._producer.abort()
        self._executor.shutdown(wait=False)

    async def _settled(self) -> None:
        """Wait until no commit is on its way. Waiters may be cancelled; the commit goes on."""
        while self._commit is not None:
            await asyncio.wait((self._commit,))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _schedule(self) -> None:
        if self._timer is not None:
            return
        delay = self._ended_at + self._interval - time.monotonic()
        if delay <= 0:
            self._start()
        else:
            self._timer = asyncio.get_running_loop().call_later(delay, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transaction, self._open = self._open, None
        if transaction is not None:
            self._commit = asyncio.get_running_loop().create_task(self._run(transaction))

    async def _run(self, transaction: _Transaction) -> None:
        started = time.monotonic()
        assignment = transaction.assignment
        metadata = encode_group_metadata(self._group_id, assignment.generation, assignment.member_id)
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, self._producer.commit, transaction.positions, metadata)
        except CheckpointFailed as error:
            await self._fail(error)
        except Exception as error:
            log.exception("the checkpoint failed in an unexpected way")
            await self._fail(CheckpointFailed(f"unexpected {type(error).__name__} in a checkpoint"))
        else:
            self._ended_at = time.monotonic()
            self._progress.committed(
                transaction.positions,
                events=transaction.events,
                dead_letters=transaction.dead_letters,
                ignored=transaction.ignored,
                seconds=self._ended_at - started,
            )
        finally:
            self._commit = None

    async def _fail(self, error: CheckpointFailed) -> None:
        """Remember the failure first, so that nothing is written meanwhile; then abort, and tell the app."""
        self._failure = error
        await asyncio.get_running_loop().run_in_executor(self._executor, self._producer.abort)
        self._on_failure(error)

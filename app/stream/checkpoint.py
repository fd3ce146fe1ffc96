"""The checkpoint: decides when the open transaction is committed, and what may still go into it."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from app.logs import fields
from app.stream.batch import (
    Assignment,
    NewestTimes,
    Output,
    RecordBatch,
    StateSink,
    Touch,
    keep_newest,
)
from app.stream.errors import CheckpointFailed, CheckpointStuck, OutOfOrder, StateNotWritten
from app.stream.group_metadata import encode_group_metadata
from app.stream.producer import TRANSACTION_TIMEOUT, TransactionalProducer
from app.stream.progress import Progress
from app.stream.state_writer import StateWriter

__all__ = ["Checkpointer"]

log = logging.getLogger(__name__)

#: Seconds, twice the transaction's time-out: by then the broker has aborted it. Needed because librdkafka
#: 2.16's send_offsets_to_transaction can hang for ever, its own time-out ignored, when the group
#: coordinator's broker went away (librdkafka issues 5456 and 5511). What is known to lead to that is cured in
#: the producer.
_PATIENCE = 2 * TRANSACTION_TIMEOUT

#: Records that wait: more than a second's work for a worker with mastery. What comes behind them is late.
_MUCH = 20_000

#: Seconds between commits then. Each commit has its price, and a row that changes twice is written once:
#: workers that have much to catch up with are 5 to 10 % faster by it.
_INTERVAL_OF_MUCH = 1.0

#: Of one transaction, then: some 16 MiB of raw records, which a slow link takes in TRANSACTION_TIMEOUT, too.
_MOST_BATCHES = 16


@dataclass(slots=True)
class _Transaction:
    """What the open transaction holds so far."""

    assignment: Assignment
    batches: int = 0
    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    newest: NewestTimes = field(default_factory=dict)
    changes: list[Any] = field(default_factory=list)
    mastery: Counter[str] = field(default_factory=Counter)

    def add(self, output: Output) -> None:
        self.batches += 1
        self.changes += output.changes
        self.mastery.update(output.mastery)
        self.events.update(output.events)
        self.dead_letters.update(output.dead_letters)
        self.ignored.update(output.ignored)
        keep_newest(self.newest, output.newest)


class Checkpointer:
    """Writes batches into transactions and commits them, one transaction at a time.

    A commit starts as soon as there is work and the last one ended `interval` seconds ago, or a second where
    much waits to be read. It runs in a thread; meanwhile agents decode and encode the next batches and wait
    with them in `write`. Used from the event loop only.

    What it committed is written into the state behind it, while the next one takes batches, and counts as
    progress then. One checkpoint's state at most waits to be written.

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
        state: StateSink | None = None,
    ) -> None:
        self._producer = producer
        self._progress = progress
        self._group_id = group_id
        self._interval = interval
        self._on_failure = on_failure
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writer = None if state is None else StateWriter(state, self._state_failed)
        self._assignment: Assignment | None = None
        self._next: dict[tuple[str, int], int] = {}
        self._open: _Transaction | None = None
        self._commit: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended_at = 0.0
        self._failure: CheckpointFailed | None = None

    def open(self, assignment: Assignment, positions: Mapping[tuple[str, int], int]) -> None:
        """Take batches of this assignment from now on, each partition's from its position on."""
        self._assignment = assignment
        self._next = dict(positions)

    @property
    def assignment(self) -> Assignment | None:
        """The assignment whose batches are taken; None between two."""
        return self._assignment

    def is_current(self, assignment: Assignment) -> bool:
        """True while batches of this assignment can be written."""
        return assignment is self._assignment and self._failure is None

    async def write(self, batch: RecordBatch | Touch, output: Output) -> bool:
        """Put a batch's output into the open transaction; True when it went in, False when it was dropped.

        Waits while a commit is on its way: librdkafka takes no records between commit and the next begin.

        Raises:
            CheckpointFailed: this batch cannot be written, or an earlier checkpoint failed; nothing can be
                written any more.
        """
        await self._settled()
        self._raise_failure()
        if not self.is_current(batch.assignment):
            return False
        try:
            self._put(batch, output)
        except Exception as error:
            # Part of the output may be in the transaction: it must never be committed.
            if not isinstance(error, CheckpointFailed):
                log.exception("a batch could not be written, in an unexpected way")
            self._abandon(_as_failure(error))
            await self._settled()
            self._raise_failure()
        self._schedule()
        return True

    async def drain(self) -> None:
        """Take no more batches, commit what is in the open transaction, and wait until its state is written.

        After a failure it only waits.

        Raises:
            CheckpointFailed: the last transaction could not be committed, or its state not written.
        """
        self._assignment = None
        await self._settled()
        failed = self._failure is not None
        if not failed and self._open is not None:
            self._start()
            await self._settled()
        if self._writer is not None:
            await self._writer.idle()
        if not failed:
            self._raise_failure()

    def close(self) -> None:
        """Give up an open transaction, let the thread go, and wait for the state. To be called once."""
        self._assignment = None
        if self._timer is not None:
            self._timer.cancel()
        if self._open is not None and self._commit is None:
            self._producer.abort()
        self._executor.shutdown(wait=False)
        if self._writer is not None:
            self._writer.close()

    async def _settled(self) -> None:
        """Wait until no commit is on its way. Waiters may be cancelled; the commit goes on."""
        while self._commit is not None:
            await asyncio.wait((self._commit,))

    def _put(self, batch: RecordBatch | Touch, output: Output) -> None:
        key = (batch.topic, batch.partition)
        following = self._next[key]
        if isinstance(batch, RecordBatch):
            if batch.start != following:
                raise OutOfOrder(
                    f"a batch of {batch.topic} partition {batch.partition} from offset {batch.start} was to"
                    f" be written where {following} is next: an agent must take one batch at a time"
                )
            following = batch.position
        if self._open is None:
            self._producer.begin()
            self._open = _Transaction(batch.assignment)
        self._producer.produce(output)
        self._open.positions[key] = following
        self._open.add(output)
        self._next[key] = following

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _schedule(self) -> None:
        due = self._ended_at + self._interval
        full = self._open is not None and self._open.batches >= _MOST_BATCHES
        if self._timer is not None and not (full and time.monotonic() >= due):
            return
        if not full and self._progress.behind() > _MUCH:
            due = max(due, self._ended_at + _INTERVAL_OF_MUCH)
        delay = due - time.monotonic()
        if delay <= 0:
            self._start()
        else:
            self._timer = asyncio.get_running_loop().call_later(delay, self._start)

    def _start(self) -> None:
        transaction = self._take()
        if transaction is not None:
            self._commit = asyncio.get_running_loop().create_task(self._run(transaction))

    def _abandon(self, error: CheckpointFailed) -> None:
        self._take()
        self._failure = error
        self._commit = asyncio.get_running_loop().create_task(self._give_up(error))

    def _take(self) -> _Transaction | None:
        """Close the open transaction to writers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transaction, self._open = self._open, None
        return transaction

    async def _run(self, transaction: _Transaction) -> None:
        started = time.monotonic()
        assignment = transaction.assignment
        metadata = encode_group_metadata(self._group_id, assignment.generation, assignment.member_id)
        self._progress.checkpoint_began()
        try:
            await self._in_thread(lambda: self._producer.commit(transaction.positions, metadata))
        except Exception as error:
            if not isinstance(error, CheckpointFailed):
                log.exception("the checkpoint failed in an unexpected way")
            await self._fail(_as_failure(error))
        else:
            self._ended_at = time.monotonic()
            self._progress.checkpoint_ended()
            await self._finish(transaction, self._ended_at - started)
        finally:
            self._commit = None

    async def _finish(self, transaction: _Transaction, seconds: float) -> None:
        """Have the state of a committed transaction written, once that of the one before it is.

        No transaction is open while this waits, so none can time out over a slow disk.
        """
        if self._writer is not None:
            await self._writer.idle()
            if self._failure is not None:
                return
            if transaction.changes:
                self._writer.write(transaction.changes, lambda: self._committed(transaction, seconds))
                return
        self._committed(transaction, seconds)

    def _state_failed(self, failure: StateNotWritten) -> None:
        if self._failure is None:
            self._failure = failure
            self._on_failure(failure)

    def _committed(self, transaction: _Transaction, seconds: float) -> None:
        self._progress.committed(
            transaction.positions,
            events=transaction.events,
            dead_letters=transaction.dead_letters,
            ignored=transaction.ignored,
            newest=transaction.newest,
            mastery=transaction.mastery,
            seconds=seconds,
        )
        if log.isEnabledFor(logging.DEBUG):
            positions = sorted(transaction.positions.items())
            offsets = {f"{topic}[{partition}]": offset for (topic, partition), offset in positions}
            generation = transaction.assignment.generation
            counts = {
                name: getattr(transaction, name).total() for name in ("events", "dead_letters", "ignored")
            }
            log.debug(
                "checkpoint: %d events, %d dead letters, %d ignored, %.0f ms, generation %d, next offsets %s",
                *counts.values(),
                seconds * 1000,
                generation,
                " ".join(f"{place}={offset}" for place, offset in offsets.items()),
                extra=fields(**counts, seconds=round(seconds, 6), generation=generation, offsets=offsets),
            )

    async def _give_up(self, error: CheckpointFailed) -> None:
        try:
            await self._fail(error)
        finally:
            self._commit = None

    async def _fail(self, error: CheckpointFailed) -> None:
        """Remember the failure first, so that nothing is written meanwhile; then abort, and tell the app."""
        self._failure = error
        if not isinstance(error, CheckpointStuck):
            # RuntimeError: closed meanwhile. Then the broker aborts it, after its time-out.
            with contextlib.suppress(CheckpointStuck, RuntimeError):
                await self._in_thread(self._producer.abort)
        self._on_failure(error)

    async def _in_thread(self, call: Callable[[], None]) -> None:
        """Run a blocking call of the producer, but wait for it no longer than `_PATIENCE`."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, call)
        done, _ = await asyncio.wait((running,), timeout=_PATIENCE)
        if not done:
            raise CheckpointStuck(f"a checkpoint did not end within {_PATIENCE:.0f} s")
        running.result()


def _as_failure(error: Exception) -> CheckpointFailed:
    if isinstance(error, CheckpointFailed):
        return error
    return CheckpointFailed(f"unexpected {type(error).__name__} in a checkpoint")

"""Faust's transport with another inner loop: whole batches, read_committed, no acknowledgements.

Faust keeps what it is good at: group membership, assignment, rebalance callbacks, the agents' queues.
Replaced here is what costs 36 us an event or loses data in faust-streaming 0.15.3: the drain loop,
acknowledgements, offset commits, the start offsets, and its producer (tests/stream/test_faust_holes.py shows
each hole on stock Faust).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.structs import TopicPartition
from faust.transport import base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from typing_extensions import override

from app.stream.batch import Assignment, RawRecord, RecordBatch
from app.stream.consumer_thread import BatchConsumerThread
from app.stream.errors import FetchRefused, OffsetWentBack, StreamError
from app.stream.membership import require_membership
from app.stream.offsets import log_deleted_unread

if TYPE_CHECKING:
    from app.stream.application import StreamApp

__all__ = ["BatchConsumer", "StreamTransport"]

#: mode logs each service's start and stop under the logger of its class.
_faust_log = logging.getLogger("faust.stream")

#: Seconds. How long one fetch waits for records; also the longest that a take-over waits for a fetch to
#: return.
_FETCH_TIMEOUT = 0.25

#: Seconds. How often positions are committed past offsets that hold no records, when no record follows them:
#: each time is a transaction, and a producer that writes in transactions leaves a marker after each.
_PASS_EVERY = 1.0


class BatchConsumer(driver.Consumer):
    """Hands an agent one fetched batch of one partition as a single message, and never commits by itself.

    The order of a rebalance: Kafka asks for the partitions back -> `on_partitions_revoked` drains the
    checkpoint (the generation is still valid) -> `on_partitions_assigned` notes the new generation ->
    `StreamRecovery` calls `take_over`: seek to stable offsets, then the flow resumes.
    """

    logger = _faust_log
    app: "StreamApp"
    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._assigned: Assignment | None = None
        self._positions: dict[tuple[str, int], int] = {}
        self._passed_at = 0.0
        self._not_fetching = asyncio.Event()
        self._not_fetching.set()

    @override
    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @override
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what was written, while the group still takes it; everything later is read again."""
        self._assigned = None
        self.stop_flow()
        self.app.on_revoked()
        await self.app.checkpointer.drain()
        if self.app.stream_state is not None:
            self.app.stream_state.give_up()
        await super().on_partitions_revoked(revoked)

    @override
    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Note the generation that everything fetched from now on belongs to."""
        self._assigned = Assignment(
            generation_id, self._thread.member_id(), frozenset((tp.topic, tp.partition) for tp in assigned)
        )
        await super().on_partitions_assigned(assigned, generation_id)

    async def take_over(self) -> bool:
        """Read the assigned partitions from their stable offsets on; False when they were revoked meanwhile.

        Raises:
            TakeOverFailed, OffsetBeyondEnd: see StableOffsets.positions.
        """
        assignment = self._assigned
        if assignment is None:
            return False
        loop = asyncio.get_running_loop()
        positions = await loop.run_in_executor(None, self.app.stable_offsets.positions, assignment.partitions)
        # A fetch of before the rebalance may still be on its way: were it to return after the seek, it would
        # have moved the read position past records that are then dropped with it.
        await self._not_fetching.wait()
        if assignment is not self._assigned:
            return False
        # After the stable offsets: what an earlier owner committed is in the changelog by now.
        state = self.app.stream_state
        if state is not None and not await loop.run_in_executor(
            None, state.take_over, assignment, lambda: assignment is not self._assigned
        ):
            return False
        if assignment is not self._assigned:
            return False
        await self._thread.seek_all(positions)
        if assignment is not self._assigned:
            return False
        self._positions = dict(positions)
        self.app.checkpointer.open(assignment, positions)
        self.app.on_taken_over(assignment, positions)
        return True

    @override
    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self._fetch_and_deliver()
        except StreamError as error:
            self.app.fail(error)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            # Faust takes a cancelled fetcher for a crashed one while a rebalance is on its way.
            if not fetcher._stopped.is_set():
                raise

    async def _fetch_and_deliver(self) -> None:
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
            return
        assignment = self._assigned
        if assignment is None or not self.app.checkpointer.is_current(assignment):
            await self.sleep(_FETCH_TIMEOUT)
            return
        fetched = await self._fetch(assignment)
        # Nobody else moves them until the next fetch, but for a reset to what retention has left.
        positions = self._thread.positions()
        for tp, records in [*fetched.items(), *self._empty(fetched, positions)]:
            if not self.app.checkpointer.is_current(assignment):
                break
            await self._deliver(tp, records, positions.get((tp.topic, tp.partition), 0), assignment)

    def _empty(
        self, fetched: Mapping[TP, list[RawRecord]], positions: Mapping[tuple[str, int], int]
    ) -> list[tuple[TP, list[RawRecord]]]:
        """Partitions that were read on without a record: their lag would never be 0."""
        now = time.monotonic()
        if now < self._passed_at + _PASS_EVERY:
            return []
        self._passed_at = now
        moved = [TP(*place) for place, at in positions.items() if at != self._positions.get(place, at)]
        return [(tp, []) for tp in moved if tp not in fetched]

    async def _fetch(self, assignment: Assignment) -> Mapping[TP, list[RawRecord]]:
        if not assignment.partitions:
            await self.sleep(_FETCH_TIMEOUT)
            return {}
        self._not_fetching.clear()
        try:
            partitions = {TP(topic, partition) for topic, partition in assignment.partitions}
            return cast(Mapping[TP, list[RawRecord]], await self._thread.getmany(partitions, _FETCH_TIMEOUT))
        except KafkaError as error:
            raise _refused(error, {topic for topic, _ in assignment.partitions}) from error
        finally:
            self._not_fetching.set()

    async def _deliver(self, tp: TP, records: list[RawRecord], position: int, assignment: Assignment) -> None:
        key = (tp.topic, tp.partition)
        start = self._positions[key]
        first = records[0].offset if records else position
        if first < start:
            raise OffsetWentBack(
                f"{tp.topic} partition {tp.partition} delivered offset {first}, below the"
                f" position {start}: was the topic made anew?",
                hint="restart the worker: it checks its offsets at start",
            )
        if first > start:
            self.add_future(self._report_loss(tp, start))
        # The position is unknown while aiokafka resets it.
        end = max(position, records[-1].offset + 1) if records else position
        batch = RecordBatch(tp.topic, tp.partition, start, end, records, assignment)
        message = ConsumerMessage(
            tp.topic,
            tp.partition,
            first,
            (records[0].timestamp or 0) / 1000 if records else 0.0,
            0,
            None,
            None,
            cast(Any, batch),
            None,
            0,
            0,
            tp,
            generation_id=assignment.generation,
        )
        self._positions[key] = batch.position
        await self.callback(message)
        self.app.progress.read({key: batch.position})

    async def _report_loss(self, tp: TP, start: int) -> None:
        """Say so if a gap comes from retention, not from markers or aborted records."""
        with contextlib.suppress(KafkaError, *self.consumer_stopped_errors):
            left = (await self._thread.earliest_offsets(tp)).get(TopicPartition(*tp), start)
            if left > start:
                log_deleted_unread(tp.topic, tp.partition, left - start)

    def end_offsets(self) -> dict[tuple[str, int], int]:
        """Last stable offset of each assigned partition, as far as a fetch has told."""
        return self._thread.end_offsets()

    def answered_at(self) -> float | None:
        """When a fetch was answered last, in seconds since the epoch; None before the first answer."""
        return self._thread.answered_at()

    def stay_out(self) -> None:
        """Take no partitions any more: nothing would be done with them."""
        self._thread.stay_out()

    def check_membership(self) -> None:
        """Raise GroupRefused when the broker does not take this worker into the group."""
        require_membership(self._thread._consumer, self.app.conf.id)

    # Acknowledgements, commits and their watchdogs: the checkpoint does this work.

    @override
    def ack(self, message: Any) -> bool:
        """Nothing to do."""
        return False

    @override
    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nothing to do."""
        return False

    @override
    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nothing to do."""
        return False

    @override
    async def wait_empty(self) -> None:
        """Faust's word for 'finish what you started': at a stop, the last checkpoint."""
        self._assigned = None
        # A start that failed comes here, too: then there was nothing to start.
        if hasattr(self.app, "checkpointer"):
            await self.app.checkpointer.drain()

    @override
    async def perform_seek(self) -> None:
        """Nothing to do: `take_over` sets the positions."""

    @override
    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing to do: lag is in the metrics, and a stuck stream makes readiness red."""


def _refused(error: KafkaError, topics: set[str]) -> FetchRefused:
    """Put what aiokafka keeps for its caller into words; what passes by itself it does not hand on."""
    if isinstance(error, TopicAuthorizationFailedError):
        topics = {str(topic) for topic in error.args if topic in topics} or topics
        granted = " ".join(f"--topic {topic}" for topic in sorted(topics))
        hint = (
            f"grant Read on topic {', '.join(sorted(topics))}: kafka-acls --bootstrap-server ... --add"
            f" --allow-principal User:... --operation Read {granted}"
        )
    else:
        hint = "start the worker again: it checks what it needs; else look at the broker's log"
    return FetchRefused(
        f"the broker does not hand out records of {', '.join(sorted(topics))}: {type(error).__name__}",
        hint=hint,
    )


class NoProducer(driver.Producer):
    """Stands where Faust's producer was, which logs a failed send and goes on. Only the checkpoint writes."""

    logger = _faust_log

    @override
    async def on_start(self) -> None:
        """Connect nowhere."""

    @override
    async def on_stop(self) -> None:
        """Nothing was started."""

    @override
    async def flush(self) -> None:
        """Nothing is buffered."""

    @override
    async def send(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a record sent past the checkpoint would not be part of its transaction."""
        raise NotImplementedError("records are written by the checkpoint, never by Faust's producer")

    send_and_wait = send


class StreamTransport(driver.Transport):
    """The aiokafka transport with the consumer and producer above."""

    Consumer = BatchConsumer
    Producer = cast(type[base.Producer], NoProducer)

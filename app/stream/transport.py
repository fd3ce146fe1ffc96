"""Faust's transport with another inner loop: whole batches, read_committed, no acknowledgements.

Faust keeps what it is good at: group membership, assignment, rebalance callbacks, the agents' queues.
Replaced here is what costs 36 us an event or loses data in faust-streaming 0.15.3: the drain loop,
acknowledgements, offset commits, the start offsets, and its producer (tests/stream/test_faust_holes.py shows
each hole on stock Faust).
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka.structs import TopicPartition
from faust.transport import base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from typing_extensions import override

from app.stream.batch import Assignment, RawRecord, RecordBatch
from app.stream.errors import OffsetWentBack, StreamError
from app.stream.membership import require_membership
from app.stream.records import read_any_header_name

if TYPE_CHECKING:
    from app.stream.application import StreamApp

__all__ = ["BatchConsumer", "StreamTransport"]

#: mode logs each service's start and stop under the logger of its class.
_faust_log = logging.getLogger("faust.stream")

#: Seconds. How long one fetch waits for records; also the longest that a take-over waits for a fetch to
#: return.
_FETCH_TIMEOUT = 0.25


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's own thread and event loop, where aiokafka lives."""

    logger = _faust_log

    @override
    def _create_worker_consumer(self, transport: "driver.Transport") -> Any:
        read_any_header_name()
        consumer = super()._create_worker_consumer(transport)
        # Faust asks for read_committed only together with its own exactly_once, which loses data.
        consumer._isolation_level = "read_committed"
        return consumer

    async def seek_all(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Move the read position of each partition, in the thread that reads."""
        await self.call_thread(self._seek_all, positions)

    async def _seek_all(self, positions: Mapping[tuple[str, int], int]) -> None:
        consumer = self._ensure_consumer()
        for (topic, partition), offset in positions.items():
            consumer.seek(TopicPartition(topic, partition), offset)

    def end_offsets(self) -> dict[tuple[str, int], int]:
        """Last stable offsets that the latest fetch responses told, for the partitions assigned now."""
        # One look: a rebalance may change the assignment meanwhile, in the thread that reads.
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        ends = {(tp.topic, tp.partition): assignment.state_value(tp).lso for tp in assignment.tps}
        return {place: end for place, end in ends.items() if end is not None and end >= 0}

    def answered_at(self) -> float | None:
        """When a fetch of an assigned partition was answered last, in seconds since the epoch."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        told = [] if assignment is None else [assignment.state_value(tp).timestamp for tp in assignment.tps]
        return max((at / 1000 for at in told if at is not None), default=None)

    def stay_out(self) -> None:
        """Join the group no more. A member it still is leaves in good order when the consumer stops."""
        if self._consumer is not None:
            # aiokafka joins for nobody who has not asked for records for this long.
            self._consumer._coordinator._max_poll_interval = -1.0

    @override
    async def on_thread_stop(self) -> None:
        """Stop as Faust does, also when no broker answers.

        aiokafka's stop then raises the CancelledError of its own fetch. Out of here it would end the thread
        before it says so, and mode would wait for that for a minute.
        """
        with contextlib.suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    def member_id(self) -> str:
        """This worker's member id in the current generation of the group."""
        return cast(str, self._ensure_consumer()._coordinator.member_id)


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
        for tp, records in (await self._fetch(assignment)).items():
            if not self.app.checkpointer.is_current(assignment):
                break
            await self._deliver(tp, records, assignment)

    async def _fetch(self, assignment: Assignment) -> Mapping[TP, list[RawRecord]]:
        if not assignment.partitions:
            await self.sleep(_FETCH_TIMEOUT)
            return {}
        self._not_fetching.clear()
        try:
            partitions = {TP(topic, partition) for topic, partition in assignment.partitions}
            return cast(Mapping[TP, list[RawRecord]], await self._thread.getmany(partitions, _FETCH_TIMEOUT))
        finally:
            self._not_fetching.set()

    async def _deliver(self, tp: TP, records: list[RawRecord], assignment: Assignment) -> None:
        key = (tp.topic, tp.partition)
        batch = RecordBatch(tp.topic, tp.partition, self._positions[key], records, assignment)
        if records[0].offset < batch.start:
            raise OffsetWentBack(
                f"{tp.topic} partition {tp.partition} delivered offset {records[0].offset}, below the"
                f" position {batch.start}: was the topic made anew?",
                hint="restart the worker: it checks its offsets at start",
            )
        message = ConsumerMessage(
            tp.topic,
            tp.partition,
            records[0].offset,
            (records[0].timestamp or 0) / 1000,
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

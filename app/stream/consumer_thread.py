"""The thread that reads: aiokafka's consumer in an event loop of its own, and what it can tell."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, cast

from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from typing_extensions import override

from app.stream.records import replace_reading

__all__ = ["BatchConsumerThread"]

#: mode logs each service's start and stop under the logger of its class.
_faust_log = logging.getLogger("faust.stream")


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's own thread and event loop, where aiokafka lives."""

    logger = _faust_log

    @override
    def _create_worker_consumer(self, transport: "driver.Transport") -> Any:
        replace_reading()
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
        ends = {(tp.topic, tp.partition): state.lso for tp, state in self._partition_states().items()}
        return {place: end for place, end in ends.items() if end is not None and end >= 0}

    def positions(self) -> dict[tuple[str, int], int]:
        """Read positions of the partitions assigned now, but for those that aiokafka is about to set anew.

        They lie past the records handed out and past what follows those unseen: markers, aborted records.
        """
        positions = {
            (tp.topic, tp.partition): state._position for tp, state in self._partition_states().items()
        }
        return {place: position for place, position in positions.items() if position is not None}

    def answered_at(self) -> float | None:
        """When a fetch of an assigned partition was answered last, in seconds since the epoch."""
        told = [state.timestamp for state in self._partition_states().values()]
        return max((at / 1000 for at in told if at is not None), default=None)

    def _partition_states(self) -> dict[TopicPartition, Any]:
        # One look: a rebalance may change the assignment meanwhile, in the thread that reads.
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        return {} if assignment is None else {tp: assignment.state_value(tp) for tp in assignment.tps}

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

"""Where to start reading: stable committed offsets, checked against what the partitions hold."""

import logging
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from app.coordinator import COORDINATOR_AWAY
from app.held_offsets import held_offsets
from app.stream.errors import OffsetBeyondEnd, StateReplaced, TakeOverFailed
from app.stream.lost_offsets import require_first_start

__all__ = ["StableOffsets", "log_deleted_unread"]

log = logging.getLogger(__name__)

#: Seconds. Above the transaction time-out of the worker that was there before: its open offsets are stable by
#: then.
_TIMEOUT = 30.0

#: What a broker or group coordinator that starts, moves or is restarted answers: asked again, after a pause.
_PASSING = frozenset(
    {
        *COORDINATOR_AWAY,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
_PAUSE = 0.1

#: Seconds. How long a look at a suspicious offset waits for the broker to answer.
_LOOK_TIMEOUT = 5.0


def log_deleted_unread(topic: str, partition: int, offsets: int) -> None:
    """Say that retention was faster than the workers."""
    log.error(
        "%d records of %s partition %d were deleted by retention before they were read",
        offsets,
        topic,
        partition,
    )


class StableOffsets:
    """Reads a group's committed offsets through librdkafka, without being a member of the group.

    aiokafka does not ask for stable offsets (KIP-447): it would return the one before a transaction that is
    about to be committed, and the next owner would process those records a second time. librdkafka waits for
    the transaction's end.

    `inputs` and `outputs` are all topics that the group reads and writes, see `require_first_start`; without
    outputs, a group that has no commits is a new one. `tags` name what the offsets of a topic rest on, such
    as a changelog: committed with another tag (see `TransactionalProducer`), they are refused.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        group_id: str,
        *,
        inputs: Iterable[str] = (),
        outputs: Iterable[str] = (),
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._group_id = group_id
        self._tags = tags
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._config = {
            **config,
            "group.id": group_id,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            # For the wait on an open transaction: asked again this often.
            "retry.backoff.ms": 50,
            # For a look at what is at an offset, see `held_offsets`.
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }

    def positions(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the offset of the next record to process for each (topic, partition). Blocks.

        A partition without a commit starts at its beginning. Where retention has deleted records that were
        never read, that is logged with their number, and reading starts at what is left.

        Raises:
            OffsetBeyondEnd: the topic was deleted and made anew under the group's commits.
            StateReplaced: offsets were committed with another tag.
            OffsetsForgotten: the group has no commits any more, but its outputs hold records.
            TakeOverFailed: the broker did not answer.
        """
        wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
        if not wanted:
            return {}
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                return self._ask(wanted)
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if cause.code() not in _PASSING or time.monotonic() > deadline:
                    raise TakeOverFailed(
                        f"the group's committed offsets could not be read: {cause.name()}"
                    ) from error
            time.sleep(_PAUSE)

    def _ask(self, wanted: list[TopicPartition]) -> dict[tuple[str, int], int]:
        consumer = Consumer(self._config)
        try:
            committed = consumer.committed(wanted, timeout=_TIMEOUT)
            if self._outputs and all(entry.offset == OFFSET_INVALID for entry in committed):
                require_first_start(consumer, self._group_id, self._inputs, self._outputs, timeout=_TIMEOUT)
            for entry in committed:
                self._require_tag(entry)
            return {(entry.topic, entry.partition): self._position(consumer, entry) for entry in committed}
        finally:
            consumer.close()

    def _require_tag(self, entry: TopicPartition) -> None:
        tag = self._tags.get(entry.topic)
        # Offsets of before there were tags have none, nor those that were set by hand.
        if not tag or not entry.metadata or entry.metadata == tag:
            return
        raise StateReplaced(
            f"the committed offset of {entry.topic} partition {entry.partition} belongs to the changelog"
            f" {entry.metadata}, but there is {tag}: it was deleted and made anew, and rows are missing",
            hint="stop the workers, and `mastery state rebuild` computes the rows again. If all of the former"
            " changelog was copied into this one: kafka-consumer-groups --bootstrap-server ... --group"
            f" {self._group_id} --topic {entry.topic} --reset-offsets --to-current --execute",
        )

    def _position(self, consumer: Consumer, entry: TopicPartition) -> int:
        if entry.error is not None:
            raise KafkaException(entry.error)
        low, high = consumer.get_watermark_offsets(
            TopicPartition(entry.topic, entry.partition), timeout=_TIMEOUT
        )
        if entry.offset == OFFSET_INVALID:
            return int(low)
        place = (entry.topic, entry.partition)
        if entry.offset > high and not held_offsets(consumer, {place: entry.offset}, _LOOK_TIMEOUT):
            raise OffsetBeyondEnd(
                f"the committed offset {entry.offset} of {entry.topic} partition {entry.partition} lies"
                f" beyond its end {high}: the topic was deleted and made anew",
                hint="reset the group (kafka-consumer-groups --reset-offsets --to-earliest), then start",
            )
        if entry.offset < low:
            log_deleted_unread(entry.topic, entry.partition, low - entry.offset)
            return int(low)
        return int(entry.offset)

"""How much of the input is still to be done: from the broker alone, whoever works on it."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.committed import committed_offsets
from app.kafka import BrokerErrors, BrokerUnreachable, broker_failure, consumer_config
from app.reader import REQUEST_TIMEOUT
from app.settings import Settings

__all__ = ["PartitionBacklog", "read_backlog"]


@dataclass(frozen=True, slots=True)
class PartitionBacklog:
    """One input partition. `committed` (None: nothing yet) and `end` are positions, that is, next offsets.

    `idle` is True when no committed record is left to be processed. Of results, which workers hand on to
    themselves, records of open transactions are left, too: the raw records that they are made from are done.
    `lag` is how many offsets are left: an upper limit of the records, as transaction markers and aborted
    records take offsets, too.
    """

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    idle: bool


def read_backlog(settings: Settings, partitions: Iterable[tuple[str, int]]) -> list[PartitionBacklog]:
    """Look at each partition from the group's committed position on. Raises BrokerFailure.

    A committed position may stand below the end although nothing is left, when only markers and aborted
    records lie between. So a read_committed consumer starts to read there: it gets a record, or the news of
    the end.
    """
    errors = BrokerErrors()
    config = consumer_config(
        settings,
        group_id=settings.group_id,
        errors=errors,
        enable_partition_eof=True,
        # One record of each partition is enough, and none should be waited for.
        fetch_wait_max_ms=20,
        fetch_message_max_bytes=1024,
    )
    consumer = Consumer(config)
    try:
        wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
        # With the partitions' leaders known beforehand, reading starts at once instead of a second later.
        consumer.list_topics(timeout=REQUEST_TIMEOUT)
        committed = committed_offsets(consumer, wanted, REQUEST_TIMEOUT)
        positions = {(e.topic, e.partition): e.offset if e.offset >= 0 else None for e in committed}
        found = _look(consumer, positions, settings.result_topics)
    except KafkaException as error:
        raise broker_failure(settings, error, errors, what="read committed offsets") from None
    finally:
        consumer.close()
    if found is None:
        raise BrokerUnreachable(f"the broker at {settings.broker} does not hand out records in time")
    return found


def _look(
    consumer: Consumer, positions: dict[tuple[str, int], int | None], handed_on: Collection[str]
) -> list[PartitionBacklog] | None:
    """Read one message of each partition; None when they do not come in time."""
    consumer.assign(
        [
            TopicPartition(*key, OFFSET_BEGINNING if offset is None else offset)
            for key, offset in positions.items()
        ]
    )
    found: dict[tuple[str, int], PartitionBacklog] = {}
    deadline = time.monotonic() + REQUEST_TIMEOUT
    while len(found) < len(positions):
        message = consumer.poll(max(0.0, deadline - time.monotonic()))
        if message is None:
            return None
        key = (str(message.topic()), message.partition() or 0)
        if (
            key not in found
            and (seen := _conclude(consumer, message, key, positions[key], handed_on)) is not None
        ):
            found[key] = seen
            consumer.pause([TopicPartition(*key)])
    return [found[key] for key in sorted(found)]


def _conclude(
    consumer: Consumer,
    message: Message,
    key: tuple[str, int],
    committed: int | None,
    handed_on: Collection[str],
) -> PartitionBacklog | None:
    """Conclude from a partition's first message: a record, or the news that there is none."""
    error, offset = message.error(), message.offset() or 0
    if error is None:
        _, high = consumer.get_watermark_offsets(TopicPartition(*key), cached=True)
        end = max(high, offset + 1)
        return PartitionBacklog(*key, committed, end, lag=end - offset, idle=False)
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
        _, high = consumer.get_watermark_offsets(TopicPartition(*key), cached=True)
        pending = max(0, high - offset) if key[0] in handed_on else 0
        return PartitionBacklog(*key, committed, offset, lag=pending, idle=not pending)
    if not error.retriable():
        raise KafkaException(error)
    return None

"""Where to begin to read the newest records of a topic."""

import time
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.kafka import BrokerErrors, BrokerUnreachable, broker_failure, consumer_config
from app.reader import NO_GROUP, REQUEST_TIMEOUT
from app.settings import Settings

__all__ = ["Span", "find_spans"]

Span = tuple[int, int]
"""The first offset that is there, and the end: the offset that comes next. Equal where there is nothing."""


def find_spans(settings: Settings, topic: str, partitions: Sequence[int]) -> dict[int, Span]:
    """Return the span of each partition. No group is joined, and nothing committed. Raises BrokerFailure.

    Both are learnt by fetching: the embedded broker answers the question for end offsets wrongly.
    """
    errors = BrokerErrors()
    consumer = Consumer(
        consumer_config(
            settings,
            group_id=settings.group_id,
            errors=errors,
            enable_partition_eof=True,
            # One record of each partition is enough, and none should be waited for.
            fetch_wait_max_ms=20,
            fetch_message_max_bytes=1024,
        )
    )
    found: dict[int, Span] = {}
    try:
        # With the partitions' leaders known beforehand, reading starts at once instead of a second later.
        consumer.list_topics(timeout=REQUEST_TIMEOUT)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        deadline = time.monotonic() + REQUEST_TIMEOUT
        while len(found) < len(partitions):
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise BrokerUnreachable(f"the broker at {settings.broker} does not hand out records in time")
            partition = message.partition() or 0
            if partition not in found and (span := _span(consumer, message)) is not None:
                found[partition] = span
                consumer.pause([TopicPartition(topic, partition)])
    except KafkaException as error:
        consumer.poll(0)
        raise broker_failure(settings, error, errors, what=f"read {topic}") from None
    finally:
        consumer.close()
    return found


def _span(consumer: Consumer, message: Message) -> Span | None:
    """Conclude from a partition's first record, or the news that there is none."""
    error, offset = message.error(), message.offset() or 0
    if error is None:
        place = TopicPartition(str(message.topic()), message.partition() or 0)
        _, high = consumer.get_watermark_offsets(place, cached=True)
        return offset, max(high, offset + 1)
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
        return offset, offset
    if error.code() != NO_GROUP and not error.retriable():
        raise KafkaException(error)
    return None

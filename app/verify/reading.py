"""Committed records of a stretch of each partition, up to offsets that are given."""

import time
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.kafka import BrokerErrors, BrokerUnreachable, broker_failure, consumer_config
from app.reader import NO_GROUP, REQUEST_TIMEOUT
from app.settings import Settings
from app.verify.offsets import Place

__all__ = ["Found", "read_stretch"]

_BATCH: Final = 4_000
_POLL: Final = 0.5

#: Seconds without anything new. The broker aborts what a killed worker left open within some 20 s.
_PATIENCE: Final = 60.0


class Found(NamedTuple):
    """A record; nothing here needs its time or headers."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def read_stretch(settings: Settings, stretches: Mapping[Place, tuple[int, int]]) -> Iterator[list[Found]]:
    """Yield the committed records of each partition from the first offset up to below the second.

    The end counts as reached when the read_committed position is there, so open transactions below it are
    waited for. Within a partition records come in their order. Raises BrokerFailure.
    """
    left = {place: end for place, (start, end) in stretches.items() if start < end}
    if not left:
        return
    errors = BrokerErrors()
    consumer = Consumer(
        consumer_config(
            settings,
            group_id=settings.group_id,  # never joined, never committed: librdkafka wants a name
            errors=errors,
            enable_partition_eof=True,
            fetch_wait_max_ms=100,
            queued_max_messages_kbytes=16_384,
        )
    )
    heard_at = time.monotonic()
    try:
        # With the partitions' leaders known beforehand, reading starts at once instead of a second later.
        consumer.list_topics(timeout=REQUEST_TIMEOUT)
        consumer.assign([TopicPartition(*place, stretches[place][0]) for place in left])
        while left:
            first = consumer.poll(_POLL)
            if first is not None:
                heard_at = time.monotonic()
            elif time.monotonic() > heard_at + _PATIENCE:
                raise BrokerUnreachable(
                    f"the broker at {settings.broker} does not hand out records in time",
                    hint="a transaction may be open: `mastery status`, then again",
                )
            # `consume` waits until it has them all, so it gets no time to do so.
            messages = [] if first is None else [first, *consumer.consume(_BATCH, 0)]
            taken = (_take(settings, errors, message, left, consumer) for message in messages)
            found = [record for record in taken if record is not None]
            if found:
                yield found
    except KafkaException as error:
        raise broker_failure(settings, error, errors, what="read topics") from None
    finally:
        consumer.close()


def _take(
    settings: Settings, errors: BrokerErrors, message: Message, left: dict[Place, int], consumer: Consumer
) -> Found | None:
    place, offset = (str(message.topic()), int(message.partition() or 0)), int(message.offset() or 0)
    error, end = message.error(), left.get(place)
    record = None
    if error is None:
        if end is not None and offset < end:
            key, value = message.key(), message.value()
            record = Found(
                *place,
                offset,
                key if isinstance(key, bytes) else None,
                value if isinstance(value, bytes) else None,
            )
        ended = end is not None and offset + 1 >= end
    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
        ended = end is not None and offset >= end
    elif error.code() == NO_GROUP or error.retriable():
        ended = False
    else:
        raise broker_failure(settings, error, errors, what=f"read {place[0]}")
    if ended:
        del left[place]
        consumer.pause([TopicPartition(*place)])
    return record

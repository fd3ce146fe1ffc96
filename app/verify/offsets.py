"""What the broker says of offsets: where partitions begin and end, and how far the group has come."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # not in its stubs

from app.committed import committed_offsets
from app.kafka import BrokerErrors, admin_client, broker_failure, consumer_config
from app.reader import REQUEST_TIMEOUT, topic_missing, topic_partitions
from app.settings import Settings

__all__ = ["Place", "bounds", "committed_positions", "places_of"]

Place = tuple[str, int]
"""Topic and partition."""

#: Seconds. A transaction that a killed worker left open holds up the answer for longer than others.
_TIMEOUT: Final = 30.0


def places_of(settings: Settings, topics: Iterable[str]) -> list[Place]:
    """Return all partitions of these topics. Raises TopicMissing and BrokerFailure."""
    known = topic_partitions(settings)
    places = []
    for topic in topics:
        if topic not in known:
            raise topic_missing(settings, topic)
        places += [(topic, partition) for partition in known[topic]]
    return places


def bounds(settings: Settings, places: Collection[Place]) -> dict[Place, tuple[int, int]]:
    """Return each partition's first offset and its high watermark. Raises BrokerFailure."""
    errors = BrokerErrors()
    admin = admin_client(settings, errors=errors)

    def ask(which: OffsetSpec) -> dict[Place, int]:
        asked: Mapping[Any, Any] = admin.list_offsets(
            {TopicPartition(*place): which for place in places}, request_timeout=REQUEST_TIMEOUT
        )
        return {(one.topic, one.partition): int(future.result().offset) for one, future in asked.items()}

    try:
        begins = ask(OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = ask(OffsetSpec.latest())  # type: ignore[no-untyped-call]
    except KafkaException as error:
        admin.poll(0)
        raise broker_failure(settings, error, errors, what="ask for offsets") from None
    return {place: (begins[place], ends[place]) for place in places}


def committed_positions(settings: Settings, places: Collection[Place]) -> dict[Place, int | None]:
    """Return the group's committed positions, None where it has none. Raises BrokerFailure.

    Open transactions are waited for: what one that is about to be committed writes is counted, too.
    """
    errors = BrokerErrors()
    consumer = Consumer(consumer_config(settings, group_id=settings.group_id, errors=errors))
    try:
        found = committed_offsets(consumer, [TopicPartition(*place) for place in places], _TIMEOUT)
    except KafkaException as error:
        raise broker_failure(settings, error, errors, what="read committed offsets") from None
    finally:
        consumer.close()
    return {(entry.topic, entry.partition): entry.offset if entry.offset >= 0 else None for entry in found}

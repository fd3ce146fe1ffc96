"""What the broker says of offsets: where partitions begin and end, and how far the group has come."""

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # not in its stubs

from app.coordinator import COORDINATOR_AWAY
from app.kafka import BrokerErrors, admin_client, broker_failure, consumer_config
from app.reader import REQUEST_TIMEOUT, topic_missing, topic_partitions
from app.settings import Settings

__all__ = ["Place", "bounds", "committed_positions", "places_of"]

Place = tuple[str, int]
"""Topic and partition."""

#: Seconds. A transaction that a killed worker left open holds up the answer for longer than others.
_TIMEOUT: Final = 30.0
_PAUSE: Final = 0.1


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
    deadline = time.monotonic() + _TIMEOUT
    try:
        while True:
            try:
                found = consumer.committed([TopicPartition(*place) for place in places], timeout=_TIMEOUT)
                _raise_first_error(found)
            except KafkaException as error:
                if error.args[0].code() not in COORDINATOR_AWAY or time.monotonic() > deadline:
                    consumer.poll(0)
                    raise broker_failure(settings, error, errors, what="read committed offsets") from None
                time.sleep(_PAUSE)
            else:
                return {
                    (entry.topic, entry.partition): entry.offset if entry.offset >= 0 else None
                    for entry in found
                }
    finally:
        consumer.close()


def _raise_first_error(entries: Iterable[TopicPartition]) -> None:
    for entry in entries:
        if entry.error is not None:
            raise KafkaException(entry.error)

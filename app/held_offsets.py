"""Whether partitions have the offsets that somebody stands at, asked by a fetch.

The embedded broker, asked for the end offset, tells one inside the last batch.
"""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, TopicPartition

__all__ = ["held_offsets"]


def held_offsets(
    consumer: Consumer, positions: Mapping[tuple[str, int], int], timeout: float
) -> set[tuple[str, int]]:
    """Return the partitions in which a fetch from there finds a record or the end, within `timeout` seconds.

    `consumer` tells the end of partitions and chooses no offset by itself; it is assigned to.
    """
    held: set[tuple[str, int]] = set()
    if not positions:
        return held
    seen: set[tuple[str, int]] = set()
    deadline = time.monotonic() + timeout
    consumer.assign([TopicPartition(*place, at) for place, at in positions.items()])
    while seen < positions.keys() and (left := deadline - time.monotonic()) > 0:
        message = consumer.poll(left)
        if message is None:
            continue
        place, error = (str(message.topic()), int(message.partition() or 0)), message.error()
        if place in positions:
            seen.add(place)
            if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                held.add(place)
    return held

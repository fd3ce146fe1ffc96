"""Offsets on the embedded broker, which loses those of a transaction without records."""

import uuid
from collections.abc import Callable, Mapping

from confluent_kafka import Producer, TopicPartition

from app.kafka import client_config
from app.settings import Settings
from app.stream.group_metadata import encode_group_metadata

__all__ = ["commit_again"]

#: Seconds for one call; each takes some milliseconds.
_TIMEOUT = 10.0


def commit_again(settings: Settings) -> Callable[[Mapping[tuple[str, int], int]], None]:
    """Return what commits positions of the workers' group in a transaction of a producer made for it.

    Tansu 0.6 answers a transaction of offsets alone like any other, and forgets them unless it is the
    producer's first. It takes them from whoever brings them, as nobody is fenced there. Nothing was written
    with them, so nothing can come apart.
    """

    def commit(positions: Mapping[tuple[str, int], int]) -> None:
        name = f"{settings.group_id}.{uuid.uuid4().hex}"
        producer = Producer(client_config(settings) | {"transactional.id": name})
        producer.init_transactions(_TIMEOUT)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            [TopicPartition(*place, offset) for place, offset in positions.items()],
            encode_group_metadata(settings.group_id, -1, ""),
            _TIMEOUT,
        )
        producer.commit_transaction(_TIMEOUT)

    return commit

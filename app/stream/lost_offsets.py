"""Whether a group without offsets has worked before: Kafka forgets those of a group that stays empty.

`offsets.retention.minutes` is 7 days by default (KIP-211), the raw topic keeps 14. A worker that started at
the beginning after such a pause would write everything a second time. It cannot know from the group, but what
it wrote is still there: a first start finds its output topics without a committed record.
"""

import time
from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from app.stream.errors import OffsetsForgotten, TakeOverFailed

__all__ = ["require_first_start"]


def require_first_start(
    consumer: Consumer, group_id: str, inputs: Iterable[str], outputs: Iterable[str], *, timeout: float
) -> None:
    """Raise OffsetsForgotten when the group has no offset in any input, but outputs hold committed records.

    `consumer` belongs to the group, reads committed records only, tells the end of partitions and has no
    assignment. Blocks up to `timeout` seconds, then TakeOverFailed.
    """
    inputs = list(inputs)
    deadline = time.monotonic() + timeout
    if _has_commits(consumer, inputs, deadline):
        return
    found = _written(consumer, outputs, deadline)
    # Asked again: another worker may have made the group's first checkpoint between the two looks.
    if found is None or _has_commits(consumer, inputs, deadline):
        return
    raise OffsetsForgotten(
        f"the group {group_id} has no committed offsets, but {found} holds records. Kafka forgets the"
        " offsets of a group that no worker has been in for offsets.retention.minutes, and those of a topic"
        " that is deleted. To start at the beginning would write again what is left in the input",
        hint="say where to go on, then start the worker again: kafka-consumer-groups --bootstrap-server ..."
        f" --group {group_id} --topic {' --topic '.join(inputs)} --reset-offsets --execute, and one of"
        " --to-datetime 2026-01-31T00:00:00.000, --to-latest, --to-earliest",
    )


def _has_commits(consumer: Consumer, topics: Iterable[str], deadline: float) -> bool:
    wanted = _partitions(consumer, topics, deadline)
    # Of a topic that this user may not describe, too: it would look like one without commits.
    if unseen := sorted(set(topics) - {entry.topic for entry in wanted}):
        raise TakeOverFailed(
            f"the broker shows no topic {unseen[0]}, so the group's offsets in it are not known",
            hint="grant Read on it, or make it: `mastery topics apply`",
        )
    committed = consumer.committed(wanted, timeout=_left(deadline))
    for entry in committed:
        if entry.error is not None:
            raise KafkaException(entry.error)
    return any(entry.offset >= 0 for entry in committed)


def _written(consumer: Consumer, topics: Iterable[str], deadline: float) -> str | None:
    """Return the name of a topic that holds a committed record, None when there is none."""
    places = _partitions(consumer, topics, deadline)
    if not places:
        return None
    consumer.assign(places)
    try:
        unread = len(places)
        while unread:
            message = consumer.poll(_left(deadline))
            if message is None:
                raise TakeOverFailed("the output topics could not be read in time")
            error = message.error()
            if error is None:
                return message.topic()
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            unread -= 1
    finally:
        consumer.unassign()
    return None


def _partitions(consumer: Consumer, topics: Iterable[str], deadline: float) -> list[TopicPartition]:
    wanted = set(topics)
    known = consumer.list_topics(timeout=_left(deadline)).topics
    return [
        TopicPartition(name, partition, OFFSET_BEGINNING)
        for name in sorted(wanted & known.keys())
        for partition in known[name].partitions
    ]


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())

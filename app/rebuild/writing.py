"""What both ways to rebuild have in common: transactions in the name of the group that is held."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer

from app.errors import MasteryError
from app.kafka import client_config, consumer_config
from app.rebuild.hold import GroupHold
from app.settings import Settings
from app.stream.errors import CheckpointFailed
from app.stream.lost_offsets import require_first_start
from app.stream.producer import TransactionalProducer
from app.verify.offsets import Place

__all__ = ["CHUNK", "RebuildInterrupted", "require_offsets", "write"]

#: Rows of one transaction: well within its time-out.
CHUNK = 1_000

_TIMEOUT = 30.0
_AGAIN = "nothing is half done: run the command again"


class RebuildInterrupted(MasteryError):
    """The rebuild ended before its end."""


def require_offsets(settings: Settings) -> None:
    """Refuse when the group's offsets of the raw topic are gone, though results or rows are there.

    Such a group does not start (see `app.stream.lost_offsets`). Offsets that a rebuild commits would hide
    that, and the raw topic would be read again from its beginning. Raises OffsetsForgotten.
    """
    config = consumer_config(settings, group_id=settings.group_id, enable_partition_eof=True)
    consumer = Consumer(config)
    try:
        # What a rebuild reads anyway: where all of it is empty, there is nothing to rebuild.
        outputs = [*settings.result_topics, settings.changelog_topic]
        require_first_start(consumer, settings.group_id, [settings.raw_topic_name], outputs, timeout=_TIMEOUT)
    finally:
        consumer.close()


def write(
    settings: Settings,
    hold: GroupHold,
    chunks: Iterable[list[tuple[Any, ...]]],
    positions: Mapping[Place, int],
    heard: Callable[[int], None] = lambda _: None,
) -> int:
    """Write each chunk in a transaction that commits `positions` as well; return the number of records.

    Records are positional arguments of confluent_kafka's `Producer.produce`. Raises RebuildInterrupted.
    """
    producer = TransactionalProducer(
        client_config(settings),
        f"{settings.group_id}.state-rebuild",
        max_batch_bytes=settings.max_message_bytes,
    )
    count = 0
    try:
        producer.init()
        for chunk in chunks:
            hold.keep()
            producer.begin()
            for record in chunk:
                producer.produce_one(*record)
            producer.commit(positions, hold.metadata)
            count += len(chunk)
            heard(len(chunk))
    except CheckpointFailed as error:
        with suppress(CheckpointFailed):
            producer.abort()
        raise RebuildInterrupted(f"the rebuild was interrupted: {error}", hint=_AGAIN) from error
    return count

"""Where partitions begin and end, for many topics at once."""

import time
from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # not in its stubs

from app.kafka import BrokerErrors, admin_client, broker_failure, consumer_config
from app.settings import Settings

__all__ = ["Span", "TopicSpans", "records_in", "topic_spans"]

Span = tuple[int, int]
"""First offset that is there, and the one that the next record gets."""

TopicSpans = Mapping[str, Mapping[int, Span | None]]
"""By topic and partition; None where a partition did not answer in time."""

_REQUEST = 2.0
"""Seconds of each of the three questions."""


def topic_spans(settings: Settings, wanted: Collection[str]) -> TopicSpans:
    """Return the spans of those `wanted` topics that the broker has. Raises BrokerFailure.

    Ends come with a fetch: the embedded broker, asked for them, tells one inside the last batch.
    """
    errors = BrokerErrors()
    config = consumer_config(
        settings,
        group_id=settings.group_id,
        errors=errors,
        enable_partition_eof=True,
        # One message of each partition is enough.
        fetch_wait_max_ms=20,
        fetch_message_max_bytes=1024,
        queued_max_messages_kbytes=1024,
    )
    consumer = Consumer(config)
    try:
        found = consumer.list_topics(timeout=_REQUEST).topics
        places = [
            (name, partition)
            for name, topic in found.items()
            if name in wanted
            for partition in topic.partitions
        ]
        firsts, ends = _firsts(settings, places), _ends(consumer, places)
    except KafkaException as error:
        consumer.poll(0)
        raise broker_failure(settings, error, errors, what="read offsets") from None
    finally:
        consumer.close()
    spans: dict[str, dict[int, Span | None]] = {}
    for place in places:
        known = place in firsts and place in ends
        span = (firsts[place], max(firsts[place], ends[place])) if known else None
        spans.setdefault(place[0], {})[place[1]] = span
    return spans


def records_in(spans: Mapping[int, Span | None]) -> int | None:
    """How many offsets a topic's partitions hold; None where one is not known.

    Transaction markers take offsets, and compaction leaves holes, so there are fewer records.
    """
    counts = [None if span is None else span[1] - span[0] for span in spans.values()]
    return None if None in counts else sum(count for count in counts if count is not None)


def _firsts(settings: Settings, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    if not places:
        return {}
    admin = admin_client(settings)
    asked = {TopicPartition(*place): OffsetSpec.earliest() for place in places}  # type: ignore[no-untyped-call]
    firsts = {}
    for place, future in admin.list_offsets(asked, request_timeout=_REQUEST).items():
        try:
            firsts[place.topic, place.partition] = int(future.result().offset)
        except KafkaException:
            # Without a leader for the moment, or not ours to read: not known.
            continue
    return firsts


def _ends(consumer: Consumer, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    ends: dict[tuple[str, int], int] = {}
    refused: set[tuple[str, int]] = set()
    deadline = time.monotonic() + _REQUEST
    consumer.assign([TopicPartition(*place, OFFSET_END) for place in places])
    while len(ends) + len(refused) < len(places) and (left := deadline - time.monotonic()) > 0:
        message = consumer.poll(left)
        if message is None:
            break
        place, error = (str(message.topic()), int(message.partition() or 0)), message.error()
        if error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            refused.add(place)
            consumer.pause([TopicPartition(*place)])
            continue
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
            continue
        if place not in ends:
            _, high = consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            # What comes with the news of the end may be older than that news.
            ends[place] = max(high, message.offset() or 0)
            consumer.pause([TopicPartition(*place)])
    return ends

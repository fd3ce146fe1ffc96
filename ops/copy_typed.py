"""Copies typed records of an old generation of topics into a new one, whose partitions are others.

    MASTERY_TOPIC_PREFIX=v2.canvas. python ops/copy_typed.py canvas. --before 2026-01-31T00:00:00Z

Every typed topic of the prefix canvas. goes to the one of MASTERY_TOPIC_PREFIX: bytes, key and timestamp as
they are, in the order of each key, to the partition that the key belongs to now. Records from `--before` on
are left out: those come from the raw topic. The schemas they were written with come along. A topic
that holds records already is refused, so a copy that was interrupted is begun anew with new topics.
docs/operating.md tells when.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app.errors import MasteryError
from app.kafka import producer_config
from app.reader import Record, TopicReader, topic_partitions
from app.settings import Settings, load_settings
from app.topics import load_catalogue

__all__ = ["CopyRefused", "copy", "main"]


class CopyRefused(MasteryError):
    """Nothing can be copied like this."""


def copy(settings: Settings, old_prefix: str, before: datetime) -> dict[str, int]:
    """Copy all typed topics and the schemas; return the number of records by new topic.

    Raises CopyRefused before anything is written, KafkaException when a record was not taken.
    """
    specs = load_catalogue(settings).topics.values()
    pairs = {
        old_prefix + spec.name.removeprefix(settings.topic_prefix): spec.name
        for spec in specs
        if spec.event is not None or spec.name == settings.schemas_topic
    }
    there = topic_partitions(settings)
    missing = [name for pair in pairs.items() for name in pair if name not in there]
    if missing or old_prefix == settings.topic_prefix:
        raise CopyRefused(f"these topics are not there, or old and new are the same: {', '.join(missing)}")
    with TopicReader.whole(settings, pairs.values(), there) as reader:
        while not reader.at_end:
            if found := reader.read(0.5):
                raise CopyRefused(
                    f"the topic {found[0].topic} holds records", hint="copy before the first worker starts"
                )
    return _copy(settings, pairs, there, before)


def _copy(
    settings: Settings, pairs: dict[str, str], there: dict[str, list[int]], before: datetime
) -> dict[str, int]:
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(producer_config(settings))
    end = before.timestamp() * 1000
    copied = dict.fromkeys(pairs.values(), 0)
    with TopicReader.whole(settings, pairs, there) as reader:
        while not reader.at_end and not failures:
            for record in reader.read(0.5):
                new = pairs[record.topic]
                if record.timestamp < end or new == settings.schemas_topic:
                    _produce(producer, new, record, delivered)
                    copied[new] += 1
            producer.poll(0)
    producer.flush()
    if failures:
        raise KafkaException(failures[0])
    return copied


def _produce(
    producer: Producer, topic: str, record: Record, delivered: Callable[[KafkaError | None, Message], None]
) -> None:
    while True:
        try:
            producer.produce(
                topic,
                record.value,
                record.key,
                timestamp=record.timestamp,
                headers=list(record.headers),
                on_delivery=delivered,
            )
        except BufferError:
            # The local queue is full: the broker is slower than we are.
            producer.poll(0.1)
        else:
            return


def main() -> None:
    """Read the arguments, copy, and say how many records each topic got."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old_prefix", help="prefix of the old topics")
    parser.add_argument(
        "--before", required=True, type=datetime.fromisoformat, help="ISO 8601 time with its offset"
    )
    arguments = parser.parse_args()
    if arguments.before.tzinfo is None:
        parser.error("--before needs an offset from UTC, such as Z")
    try:
        for topic, count in copy(load_settings(), arguments.old_prefix, arguments.before).items():
            print(f"{count:12,} {topic}")
    except (MasteryError, KafkaException) as error:
        sys.exit(getattr(error, "report", f"error: {error}"))


if __name__ == "__main__":
    main()

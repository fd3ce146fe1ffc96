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
from datetime import datetime

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app.errors import MasteryError
from app.kafka import producer_config
from app.reader import TopicReader, topic_partitions
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
    for new in pairs.values():
        with TopicReader.whole(settings, [new], there) as reader:
            while not reader.at_end:
                if reader.read(0.5):
                    raise CopyRefused(
                        f"the topic {new} holds records", hint="copy before the first worker starts"
                    )
    return {new: _copy_one(settings, old, new, there, before) for old, new in pairs.items()}


def _copy_one(settings: Settings, old: str, new: str, there: dict[str, list[int]], before: datetime) -> int:
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(producer_config(settings))
    end = before.timestamp() * 1000
    copied = 0
    with TopicReader.whole(settings, [old], there) as reader:
        while not reader.at_end:
            for record in reader.read(0.5):
                if record.timestamp >= end and new != settings.schemas_topic:
                    continue
                while True:
                    try:
                        producer.produce(
                            new,
                            record.value,
                            record.key,
                            timestamp=record.timestamp,
                            headers=list(record.headers),
                            on_delivery=delivered,
                        )
                        break
                    except BufferError:
                        producer.poll(0.1)
                copied += 1
            producer.poll(0)
            if failures:
                break
    producer.flush()
    if failures:
        raise KafkaException(failures[0])
    return copied


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

"""`mastery tail`: a topic's records, decoded, as JSON lines."""

import click
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json
from app.reader import Record, TopicReader, find_topic, topic_partitions
from app.settings import load_settings
from app.values import ValueReader, plain, timestamp_text

__all__ = ["tail"]


@click.command()
@click.argument("topic")
@click.option("--from-beginning", is_flag=True, help="Start with the oldest record instead of new ones.")
@click.option("--limit", type=click.IntRange(min=1), help="End after this many records.")
@click.option("--exit", "exit_at_end", is_flag=True, help="End where the topic ended when this was called.")
@at_broker(tasks.tail, "topic")
def tail(topic: str, from_beginning: bool, limit: int | None, exit_at_end: bool) -> None:
    """Print the records of TOPIC as JSON lines: partition, offset, timestamp, key, value.

    TOPIC may go without the prefix: `mastery tail rubric_assessed`. Avro is decoded with the schema it was
    written with; only committed records are shown. Without --limit and --exit it goes on until Ctrl-C.
    """
    settings = load_settings()
    partitions = topic_partitions(settings)
    name = find_topic(settings, topic, partitions)
    start = OFFSET_BEGINNING if from_beginning else OFFSET_END
    values = ValueReader(settings)
    left = limit
    with TopicReader(settings, {(name, partition): start for partition in partitions[name]}) as reader:
        while left != 0 and not (exit_at_end and reader.at_end):
            for record in reader.read(0.5)[:left]:
                print_json(_shown(record, values))
                left = None if left is None else left - 1


def _shown(record: Record, values: ValueReader) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": timestamp_text(record.timestamp),
        "key": None if record.key is None else plain_key(record.key),
        **values.shown(record.value),
    }


def plain_key(key: bytes) -> object:
    """Return a key as text: ours are, and a number as key is no number to a person."""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return plain(key)

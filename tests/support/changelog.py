"""Rows written into the changelog of mastery, where a worker writes them: for what reads it from outside."""

from collections.abc import Iterable, Mapping

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from app.kafka import admin_client, producer_config
from app.mastery import blob
from app.partitioner import partition_of
from app.settings import Settings
from tests.mastery.events import results_of, rows_of

__all__ = ["make_changelog", "rows_as_stored", "write_rows"]


def make_changelog(settings: Settings) -> None:
    """Make the topic, with the settings' count of partitions."""
    config = {"cleanup.policy": "compact"}
    topic = NewTopic(settings.changelog_topic, settings.partitions, config=config)
    admin = admin_client(settings)
    for future in admin.create_topics([topic]).values():
        future.result()


def rows_as_stored(history: Iterable[object]) -> dict[bytes, bytes]:
    """Return key and value of each row that decoded events make."""
    events = list(history)
    rows = rows_of(events)
    return {str(key).encode(): blob.encode(results, rows[key]) for key, results in results_of(events).items()}


def write_rows(settings: Settings, rows: Mapping[bytes, bytes | None]) -> None:
    """Write rows (None: a tombstone), each into the partition of its student."""
    producer = Producer(producer_config(settings))
    for key, value in rows.items():
        place = partition_of(key.rpartition(b":")[0], settings.partitions)
        producer.produce(settings.changelog_topic, value, key, place)
    producer.flush(10)

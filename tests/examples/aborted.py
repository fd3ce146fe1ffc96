"""What a worker that failed leaves behind: records that were written and never committed."""

from confluent_kafka import Producer

from app.settings import Settings
from tests.support.records import end_offsets, read_all
from tests.support.waiting import wait_until

__all__ = ["abort_a_copy"]


def abort_a_copy(settings: Settings) -> None:
    """Write what the result topics hold once more, in a transaction that is aborted."""
    topics = [settings.typed_topic(f"learning_outcome_result_{kind}") for kind in ("created", "updated")]
    records = read_all(settings.broker, topics)
    assert records
    config = {"bootstrap.servers": settings.broker, "transactional.id": f"{settings.topic_prefix}given-up"}
    producer = Producer(config | {"log_level": 0})
    producer.init_transactions(10)
    producer.begin_transaction()
    for record in records:
        producer.produce(record.topic, record.value, record.key, record.partition)
    producer.flush(10)
    producer.abort_transaction(10)
    wait_until(
        lambda: end_offsets(settings.broker, topics) == end_offsets(settings.broker, topics, committed=True),
        timeout=15,
        what="the markers of the aborted transaction",
    )
    assert len(read_all(settings.broker, topics, committed=False)) == 2 * len(records)

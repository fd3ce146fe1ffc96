"""Peer: no framework, a loop over confluent-kafka. Consume a batch, produce it, flush, commit."""

import signal
from types import FrameType

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from bench.peers.job import FanOut, Task

BATCH = 10_000
"""Records for each flush and commit: waiting for the broker once in 10,000 costs next to nothing."""


def main() -> None:
    """Run until SIGTERM."""
    task = Task.from_environment()
    fan_out = FanOut(task.schema, task.schema_id)
    running = True

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal running
        running = False

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            raise KafkaException(error)

    signal.signal(signal.SIGTERM, stop)
    consumer = Consumer(
        {
            "bootstrap.servers": task.broker,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": task.broker,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "delivery.report.only.error": True,
            "on_delivery": on_delivery,
        }
    )
    consumer.subscribe([task.raw_topic])
    while running:
        messages = consumer.consume(BATCH, timeout=0.1)
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            key, value = fan_out(message.value() or b"")
            producer.produce(task.typed_topic, value, key, timestamp=message.timestamp()[1])
        if messages:
            producer.flush()
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()

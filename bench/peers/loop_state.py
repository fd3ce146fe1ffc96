"""Peer: no framework, with state: the last results of each user and outcome in RocksDB, with a changelog.

As bench/peers/confluent_loop.py, and of each batch every row that changed is read, written and sent to the
changelog once. At least once: offsets are committed after both topics and the store have it.
"""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from rocksdict import Options, Rdict, WriteBatch  # type: ignore[import-not-found]

from bench.peers.job import FanOut, Task, remembered

BATCH = 10_000
_json = msgspec.json.Encoder().encode
_rows = msgspec.json.Decoder(list[list[Any]]).decode


def main() -> None:
    """Run until SIGTERM."""
    task = Task.from_environment()
    fan_out = FanOut(task.schema, task.schema_id)
    changelog = f"{task.group}-last_results-changelog"
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
    store = Rdict(str(Path(task.folder) / "rows"), Options(raw_mode=True))
    consumer.subscribe([task.raw_topic])
    while running:
        messages = consumer.consume(BATCH, timeout=0.1)
        changed: dict[bytes, list[list[Any]]] = {}
        for message in messages:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            record = fan_out.decode(message.value() or b"")
            body = record["body"]
            place = f"{body['user_uuid']}:{body['learning_outcome_id']}".encode()
            if (rows := changed.get(place)) is None:
                kept = store.get(place)
                rows = [] if kept is None else _rows(kept)
            changed[place] = remembered(rows, record)
            producer.produce(
                task.typed_topic,
                fan_out.encode(record),
                fan_out.key(record),
                timestamp=message.timestamp()[1],
            )
        if messages:
            writes = WriteBatch(raw_mode=True)
            for place, rows in changed.items():
                value = _json(rows)
                writes.put(place, value)
                producer.produce(changelog, value, place)
            producer.flush()
            store.write(writes)
            consumer.commit(asynchronous=False)
    consumer.close()
    store.close()


if __name__ == "__main__":
    main()

"""Peer: Quix Streams with state: the last results of each user and outcome, in RocksDB, with changelog.

Its state belongs to the message's key: the raw events are keyed by user here. At-least-once is its faster
guarantee. It runs in an environment of its own, as it pins an older confluent-kafka.
"""

from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]
from quixstreams.models import (  # type: ignore[import-not-found]
    Deserializer,
    SerializationContext,
    Serializer,
)

from bench.peers.job import FanOut, Task, remembered


class EventDeserializer(Deserializer):  # type: ignore[misc]
    """Raw bytes to a validated record."""

    def __init__(self, fan_out: FanOut) -> None:
        super().__init__()
        self._decode = fan_out.decode

    def __call__(self, value: bytes, ctx: SerializationContext) -> dict[str, Any]:  # noqa: ARG002
        return self._decode(value)


class EventSerializer(Serializer):  # type: ignore[misc]
    """A record to framed Avro."""

    def __init__(self, fan_out: FanOut) -> None:
        super().__init__()
        self._encode = fan_out.encode

    def __call__(self, value: dict[str, Any], ctx: SerializationContext) -> bytes:  # noqa: ARG002
        return self._encode(value)


def main() -> None:
    """Run until SIGTERM."""
    task = Task.from_environment()
    app = Application(
        broker_address=task.broker,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        auto_create_topics=True,  # its changelog
        producer_extra_config={
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
        },
    )
    fan_out = FanOut(task.schema, task.schema_id)
    raw = app.topic(task.raw_topic, value_deserializer=EventDeserializer(fan_out))
    typed = app.topic(task.typed_topic, key_serializer="bytes", value_serializer=EventSerializer(fan_out))

    def remember(record: dict[str, Any], state: Any) -> None:
        outcome = record["body"]["learning_outcome_id"]
        state.set(outcome, remembered(state.get(outcome, []), record))

    app.dataframe(raw).update(remember, stateful=True).to_topic(typed, key=fan_out.key)
    app.run()


if __name__ == "__main__":
    main()

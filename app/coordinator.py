"""What a group or transaction coordinator answers while it starts or moves."""

from confluent_kafka import KafkaError

__all__ = ["COORDINATOR_AWAY"]

#: librdkafka hands these on instead of asking again: the caller asks again, after a pause.
COORDINATOR_AWAY = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)

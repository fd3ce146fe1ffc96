"""What the harness asks of the broker: topics, end offsets, committed offsets, all that was written."""

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    NewTopic,
    OffsetSpec,
)

from bench.measure import RunFailed

__all__ = ["Cluster"]

_TIMEOUT = 30.0
# A broker that is stopped at the end is no news.
_QUIET = 2


class Cluster:
    """A Kafka cluster as the harness uses it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": _QUIET})

    def create(self, topics: Sequence[str], partitions: int) -> None:
        """Make the topics."""
        new = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in topics]
        for future in self._admin.create_topics(new, operation_timeout=_TIMEOUT).values():
            future.result()

    def topics(self, prefix: str) -> list[str]:
        """The names that start so."""
        return [name for name in self._admin.list_topics(timeout=_TIMEOUT).topics if name.startswith(prefix)]

    def delete(self, prefix: str) -> None:
        """Remove all topics whose names start so."""
        if names := self.topics(prefix):
            for future in self._admin.delete_topics(names, operation_timeout=_TIMEOUT).values():
                future.result()

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        return len(self._admin.list_topics(topic, timeout=_TIMEOUT).topics[topic].partitions)

    def ends(self, topic: str, partitions: int, *, committed: bool = True) -> list[int]:
        """For each partition the offset that a read_committed consumer can read up to, or any other."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = {TopicPartition(topic, number): latest for number in range(partitions)}
        futures = self._admin.list_offsets(
            wanted,
            isolation_level=IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_TIMEOUT,
        )
        found = {partition.partition: future.result().offset for partition, future in futures.items()}
        return [found[number] for number in range(partitions)]

    def committed(self, group: str, topic: str, partitions: int) -> list[int | None]:
        """For each partition the offset that the group has committed, as the broker holds it."""
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, n) for n in range(partitions)])
        future = self._admin.list_consumer_group_offsets([asked], request_timeout=_TIMEOUT)[group]
        found = {part.partition: part.offset for part in future.result().topic_partitions}
        return [offset if (offset := found.get(n, -1)) >= 0 else None for n in range(partitions)]

    def owned(self, group: str, topic: str) -> int:
        """How many partitions of the topic have an owner in the group, as it was last settled."""
        found = self._admin.describe_consumer_groups([group], request_timeout=_TIMEOUT)[group].result()
        if found.state is not ConsumerGroupState.STABLE:
            return 0
        return sum(
            part.topic == topic for member in found.members for part in member.assignment.topic_partitions
        )

    def members(self, group: str) -> int:
        """How many members the group has, 0 while it is not settled."""
        found = self._admin.describe_consumer_groups([group], request_timeout=_TIMEOUT)[group].result()
        return len(found.members) if found.state is ConsumerGroupState.STABLE else 0

    def commit_beginning(self, group: str, topics: Sequence[str], partitions: int) -> None:
        """Say that a group is to begin at the beginning, as an operator would."""
        wanted = [TopicPartition(topic, n, 0) for topic in topics for n in range(partitions)]
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": _QUIET})
        try:
            deadline = time.monotonic() + _TIMEOUT
            while True:
                try:
                    consumer.commit(offsets=wanted, asynchronous=False)
                    return
                except KafkaException:
                    # A broker that has just started still loads its groups.
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
        finally:
            consumer.close()

    def read(self, topic: str, partitions: int) -> Iterator[Message]:
        """Every record that a read_committed consumer gets, up to the end. Raises RunFailed on a stall."""
        ends = self.ends(topic, partitions)
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.max.bytes": 64 << 20,
            }
        )
        try:
            assignment = [TopicPartition(topic, n, 0) for n, end in enumerate(ends) if end > 0]
            consumer.assign(assignment)
            deadline = time.monotonic() + _TIMEOUT
            while any(part.offset < ends[part.partition] for part in consumer.position(assignment)):
                messages = consumer.consume(10_000, timeout=0.2)
                if messages:
                    deadline = time.monotonic() + _TIMEOUT
                elif time.monotonic() > deadline:
                    raise RunFailed(f"{topic} cannot be read to its end")
                for message in messages:
                    if (error := message.error()) is not None:
                        raise RunFailed(f"reading {topic}: {error.str()}")
                    yield message
        finally:
            consumer.close()

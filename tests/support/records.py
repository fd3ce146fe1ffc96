"""Write to topics, and read what is in them, with nothing of the project in between."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

__all__ = [
    "CommittedOffsets",
    "Record",
    "committed_offsets",
    "create_topic",
    "end_offsets",
    "produce",
    "read_all",
]


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lies in a topic. `timestamp` in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int

    def header(self, name: str) -> bytes | None:
        """Value of the last header of that name, None without one."""
        return next((value for key, value in reversed(self.headers) if key == name), None)


def create_topic(bootstrap: str, name: str, *, partitions: int = 1, **config: str) -> None:
    """Make a topic (`_` for `.` in config names) and wait until it is known."""
    admin = _admin(bootstrap)
    options = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(name, partitions, 1, config=options)])[name].result(15.0)
    deadline = time.monotonic() + 15.0
    while True:
        # Kafka says "made" before its metadata has the topic.
        topic = admin.list_topics(timeout=5.0).topics.get(name)
        if topic is not None and len(topic.partitions) >= partitions:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"topic {name} was made but is not known after 15 s")
        time.sleep(0.02)


def produce(
    bootstrap: str,
    topic: str,
    values: Iterable[bytes | None],
    *,
    partition: int = -1,
    key: bytes | None = None,
    headers: Sequence[tuple[str, bytes | None]] = (),
    timestamp: int = 0,
) -> None:
    """Write values in order and wait until all are acknowledged by all replicas. `timestamp` 0 is now."""
    failures: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failures.append(error)

    for value in values:
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery=delivered,
                    timestamp=timestamp,
                    headers=list(headers),
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(30.0)
    if left or failures:
        raise AssertionError(f"{left} records not delivered in time, {len(failures)} failed: {failures[:1]}")


def read_all(
    bootstrap: str,
    topics: str | Iterable[str],
    *,
    committed: bool = True,
    since: Mapping[int, int] | None = None,
    timeout: float = 30.0,
) -> list[Record]:
    """Return every record, at least to the end that was there at the call, in offset order in each partition.

    With `committed` as a read_committed consumer sees it, to the last stable offset; else everything. The
    end is what the broker says while fetching: transaction markers take offsets, so the last record can lie
    far before it; and what the embedded broker says when asked for the end can be too low. `since` tells by
    partition where to begin.
    """
    names = [topics] if isinstance(topics, str) else list(topics)
    ends = end_offsets(bootstrap, names, committed=committed)
    waiting = {place for place, end in ends.items() if end > 0}
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tests-read-all",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    records: list[Record] = []
    deadline = time.monotonic() + timeout
    try:
        begin = since or {}
        consumer.assign(
            [TopicPartition(topic, partition, begin.get(partition, 0)) for topic, partition in waiting]
        )
        while waiting:
            if time.monotonic() > deadline:
                raise AssertionError(f"the end of {sorted(waiting)} was not reached in {timeout:g} s")
            for message in consumer.consume(5_000, timeout=0.1):
                place = (message.topic(), message.partition())
                error = message.error()
                if error is None:
                    records.append(_record(message))
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise AssertionError(f"reading {place}: {error}")
                elif message.offset() >= ends[place]:
                    waiting.discard(place)
    finally:
        consumer.close()
    return records


def end_offsets(
    bootstrap: str, topics: Iterable[str], *, committed: bool = False
) -> dict[tuple[str, int], int]:
    """Return the end of every partition: the high watermark, with `committed` the last stable offset."""
    admin = _admin(bootstrap)
    places = _places(admin, topics)
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    deadline = time.monotonic() + 15.0
    while True:
        futures = admin.list_offsets(
            {place: OffsetSpec.latest() for place in places}, isolation_level=level, request_timeout=10.0
        )
        try:
            return {
                (place.topic, place.partition): future.result(15.0).offset
                for place, future in futures.items()
            }
        except KafkaException:
            # A broker that has just come up may not lead its partitions yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class CommittedOffsets:
    """Looks up what a group has committed, as the broker tells it, without being a member.

    Offsets that are pending in an open transaction do not count. Asks through a consumer: librdkafka's admin
    client dies of a null pointer when it asks a broker that has just come up (confluentinc/librdkafka#5040).
    """

    def __init__(self, bootstrap: str, group: str, topics: Iterable[str] | None = None) -> None:
        self._places = _places(_admin(bootstrap), topics)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                # Else the answer would wait until no offset is pending.
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                # A frozen broker of several holds up no more than this.
                "socket.timeout.ms": 5_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def read(self, timeout: float = 15.0) -> dict[tuple[str, int], int]:
        """Return the positions, without partitions that have none. KafkaException after `timeout` s."""
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.1, deadline - time.monotonic())
            try:
                found = self._consumer.committed(self._places, timeout=left)
            except KafkaException:
                # A broker that has just come up is no group's coordinator yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return {(entry.topic, entry.partition): entry.offset for entry in found if entry.offset >= 0}

    def close(self) -> None:
        """Let the broker go."""
        self._consumer.close()


def committed_offsets(
    bootstrap: str, group: str, topics: Iterable[str] | None = None
) -> dict[tuple[str, int], int]:
    """Return what the group has committed of these topics (None: of all), once."""
    offsets = CommittedOffsets(bootstrap, group, topics)
    try:
        return offsets.read()
    finally:
        offsets.close()


def _places(admin: AdminClient, topics: Iterable[str] | None) -> list[TopicPartition]:
    known = admin.list_topics(timeout=10.0).topics
    names = [name for name in known if not name.startswith("__")] if topics is None else topics
    return [TopicPartition(name, partition) for name in names for partition in known[name].partitions]


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def _record(message: object) -> Record:
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        message.timestamp()[1],
    )

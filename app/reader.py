"""Read whole topics for a person: committed records only, in no consumer group, leaving no trace."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import TracebackType
from typing import Self, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)

from app.access.grants import read_denied
from app.errors import MasteryError
from app.kafka import AccessDenied, BrokerErrors, admin_client, broker_failure, consumer_config
from app.settings import Settings

__all__ = [
    "NO_GROUP",
    "REQUEST_TIMEOUT",
    "Record",
    "TopicMissing",
    "TopicReader",
    "find_topic",
    "partitions_of",
    "topic_missing",
    "topic_partitions",
]

# Seconds. A broker that is there answers in milliseconds; nobody should wait long to hear that there is none.
REQUEST_TIMEOUT = 10.0
_MOST_AT_ONCE = 500

#: librdkafka asks for the coordinator of the group that a consumer names. Who reads partitions of its own
#: choice needs none, and no permission to use the group.
NO_GROUP = KafkaError.GROUP_AUTHORIZATION_FAILED


class TopicMissing(MasteryError):
    """A topic that the broker does not have."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in the topic. `timestamp` is in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def topic_partitions(settings: Settings) -> dict[str, list[int]]:
    """Return every topic of the broker with its partitions. Raises BrokerFailure."""
    errors = BrokerErrors()
    admin = admin_client(settings, errors=errors)
    try:
        topics = admin.list_topics(timeout=REQUEST_TIMEOUT).topics
    except KafkaException as error:
        admin.poll(0)
        raise broker_failure(settings, error, errors, what="list topics") from None
    return {name: sorted(topic.partitions) for name, topic in topics.items()}


def find_topic(settings: Settings, name: str, topics: Collection[str]) -> str:
    """Return the topic that a person means by `name`: with or without the prefix. Raises TopicMissing."""
    prefix = settings.topic_prefix
    for candidate in (name, f"{prefix}{name}"):
        if candidate in topics:
            return candidate
    ours = [topic.removeprefix(prefix) for topic in topics if topic.startswith(prefix)]
    near = get_close_matches(name.removeprefix(prefix), ours, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`mastery topics apply` makes the topics"
    raise topic_missing(
        settings, name if name.startswith(prefix) else f"{prefix}{name}", hint=hint, said=name
    )


def partitions_of(settings: Settings, names: Iterable[str]) -> list[tuple[str, int]]:
    """Return all partitions of those of the topics that the broker has. Raises BrokerFailure.

    One that this user may not see is no missing one: AccessDenied.
    """
    known = topic_partitions(settings)
    found = []
    for name in names:
        if name not in known and isinstance(denied := topic_missing(settings, name), AccessDenied):
            raise denied
        found += [(name, partition) for partition in known.get(name, [])]
    return found


def topic_missing(
    settings: Settings, name: str, *, hint: str = "`mastery topics apply` makes it", said: str | None = None
) -> MasteryError:
    """Return the error for a topic that the broker does not list: it may only not be shown to this user.

    `said` is what a person called it.
    """
    admin = admin_client(settings)
    # Asking makes no topics, not even where the broker makes those that a client names.
    asked = admin.describe_topics(TopicCollection([name]), request_timeout=REQUEST_TIMEOUT)
    refusal = asked[name].exception()
    # Kafka says so be the topic there or not.
    if isinstance(refusal, KafkaException) and (
        refusal.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    ):
        return AccessDenied(
            f"the broker at {settings.broker} denies it: this user may not even see the topic {name}",
            hint=f"ask for the permission (ACL) to use it; if it is not there, {hint}",
        )
    return TopicMissing(f"the broker at {settings.broker} has no topic {said or name}", hint=hint)


class TopicReader:
    """Reads partitions from given positions; knows when it has reached what was their end at the start.

    `positions` maps (topic, partition) to an offset; `OFFSET_BEGINNING` and `OFFSET_END` of confluent_kafka
    are offsets, too. End offsets are not asked for but learnt while reading: transaction markers take
    offsets, so the last record may stand well below the end, and the embedded broker answers that question
    wrongly.
    """

    def __init__(self, settings: Settings, positions: Mapping[tuple[str, int], int]) -> None:
        self._settings = settings
        self._errors = BrokerErrors()
        # librdkafka wants the name of a group. It is never joined, and nothing is committed.
        config = consumer_config(
            settings,
            group_id=settings.group_id,
            errors=self._errors,
            enable_partition_eof=True,
            fetch_wait_max_ms=100,
            # A person waits for the records, not for megabytes of them in advance.
            queued_max_messages_kbytes=16_384,
            # Milliseconds; a second otherwise, once there is that much.
            fetch_queue_backoff_ms=20,
        )
        self._consumer = Consumer(config)
        self._targets: dict[tuple[str, int], int] = {}
        self._unfinished = set(positions)
        try:
            # With the partitions' leaders known beforehand, reading starts at once instead of a second later.
            self._ask_broker()
        except BaseException:
            self.close()
            raise
        self._consumer.assign([TopicPartition(*key, offset) for key, offset in positions.items()])

    @classmethod
    def whole(cls, settings: Settings, topics: Iterable[str], partitions: Mapping[str, list[int]]) -> Self:
        """Read `topics` from their beginnings; `partitions` as `topic_partitions` returns them."""
        return cls(settings, {(name, p): OFFSET_BEGINNING for name in topics for p in partitions[name]})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def at_end(self) -> bool:
        """True once every partition was read up to where it ended when its reading began."""
        return not self._unfinished

    def read(self, timeout: float) -> list[Record]:
        """Return the records that have come in, waiting up to `timeout` seconds for the first.

        Raises BrokerFailure when reading is refused, or when the broker has gone away.
        """
        first = self._consumer.poll(timeout)
        if first is None:
            if self._errors.last is not None:
                # Silence after an error: the broker is gone, or it is back and has nothing new.
                self._ask_broker()
                self._errors.forget()
            return []
        records = []
        # `consume` waits until it has them all, so it gets no time to do so.
        for message in [first, *self._consumer.consume(_MOST_AT_ONCE, 0)]:
            error = message.error()
            if error is None:
                records.append(self._passed(_record(message)))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
                self._unfinished.discard((str(message.topic()), message.partition() or 0))
            elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise read_denied(self._settings, str(message.topic()))
            elif error.code() != NO_GROUP and not error.retriable():
                raise broker_failure(self._settings, error, self._errors, what=f"read {message.topic()}")
        return records

    def _ask_broker(self) -> None:
        try:
            self._consumer.list_topics(timeout=REQUEST_TIMEOUT)
        except KafkaException as error:
            self._consumer.poll(0)
            raise broker_failure(self._settings, error, self._errors, what="read topics") from None

    def _passed(self, record: Record) -> Record:
        key = (record.topic, record.partition)
        if key in self._unfinished:
            if key not in self._targets:
                # The high watermark that came along with the record.
                _, self._targets[key] = self._consumer.get_watermark_offsets(
                    TopicPartition(*key), cached=True
                )
            if record.offset + 1 >= self._targets[key]:
                self._unfinished.discard(key)
        return record

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def _record(message: Message) -> Record:
    headers = cast("list[tuple[str, str | bytes | None]]", message.headers() or [])
    return Record(
        topic=str(message.topic()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp=message.timestamp()[1],
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=tuple((name, _bytes(value)) for name, value in headers),
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value

"""What passes through the stream: a fetched batch of one partition in, the records made from it out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Assignment", "Headers", "Output", "RawRecord", "RecordBatch"]

Headers = Sequence[tuple[str, bytes | None]]


class RawRecord(Protocol):
    """The part of aiokafka's ConsumerRecord that is used here. `timestamp` is milliseconds since the epoch, or -1."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


@dataclass(frozen=True, eq=False)
class Assignment:
    """One generation of the consumer group, as this worker is a member of it.

    Compared by identity: records that were fetched under one assignment are never written under another one.
    """

    generation: int
    member_id: str
    partitions: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one partition, and the assignment that they were fetched under."""

    topic: str
    partition: int
    records: Sequence[RawRecord]
    assignment: Assignment

    @property
    def position(self) -> int:
        """The offset after the last record: what is committed once the batch is written."""
        return self.records[-1].offset + 1


@dataclass(slots=True)
class Output:
    """Everything that one batch leads to. All of it goes into one Kafka transaction.

    `typed` holds positional arguments of confluent_kafka's `Producer.produce`: (topic, value, key, partition,
    on_delivery, timestamp in ms); at 100,000 records keyword arguments cost 15 % more. `dead` holds
    (topic, value, key, timestamp, headers).
    """

    typed: list[tuple[str, bytes, bytes, int, None, int]] = field(default_factory=list)
    dead: list[tuple[str, bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]] = field(
        default_factory=list
    )
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

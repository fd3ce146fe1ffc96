"""What passes through the stream: a fetched batch of one partition in, the records made from it out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = [
    "Assignment",
    "DeadRecord",
    "Headers",
    "NewestTimes",
    "Output",
    "RawRecord",
    "RecordBatch",
    "TypedRecord",
    "keep_newest",
]

Headers = Sequence[tuple[str, bytes | None]]
TypedRecord = tuple[str, bytes, bytes, int, None, None, int]
DeadRecord = tuple[
    str, bytes | None, bytes | None, int, None, None, int, list[tuple[str, str | bytes | None]]
]

NewestTimes = dict[tuple[str, str | None], datetime]
"""The newest event time by event name and root account; None is the account that is not named."""


class RawRecord(Protocol):
    """The part of aiokafka's ConsumerRecord that is used here."""

    @property
    def offset(self) -> int:
        """Position in the partition."""

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since the epoch, -1 when the record has none."""

    @property
    def key(self) -> bytes | None:
        """The key as it came."""

    @property
    def value(self) -> bytes | None:
        """The value as it came."""

    @property
    def headers(self) -> Headers:
        """Names and values, in order."""


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
    """Consecutive records of one partition, and the assignment that they were fetched under.

    `start` is where the batch before it ended, `position` where this one does: what is committed once it is
    written. Transaction markers and aborted records take offsets, too: they lie before, between and after the
    records, and a batch of nothing else has no records.
    """

    topic: str
    partition: int
    start: int
    position: int
    records: Sequence[RawRecord]
    assignment: Assignment


@dataclass(slots=True)
class Output:
    """Everything that one batch leads to. All of it goes into one Kafka transaction.

    `typed` and `dead` hold positional arguments of confluent_kafka's `Producer.produce`, which cost 15 % less
    than keywords: topic, value, key, partition (-1: by key), callback, on_delivery, timestamp in ms, and for
    dead letters headers.
    """

    typed: list[TypedRecord] = field(default_factory=list)
    dead: list[DeadRecord] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    newest: NewestTimes = field(default_factory=dict)


def keep_newest(kept: NewestTimes, more: NewestTimes) -> None:
    """Take over into `kept` what of `more` is newer."""
    for source, time in more.items():
        if source not in kept or kept[source] < time:
            kept[source] = time

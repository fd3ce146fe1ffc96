"""What passes through the stream: a fetched batch of one partition in, the records made from it out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

__all__ = [
    "Assignment",
    "DeadRecord",
    "Delivered",
    "Headers",
    "NewestTimes",
    "Output",
    "RawRecord",
    "RecordBatch",
    "StateSink",
    "Touch",
    "TypedRecord",
    "keep_newest",
]

Headers = Sequence[tuple[str, bytes | None]]
Delivered = Callable[[Any, Any], None]
"""What confluent_kafka calls with an error or None, and the message, when a record's fate is known."""

TypedRecord = tuple[str, bytes | None, bytes, int, Delivered | None, None, int]
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


@dataclass(frozen=True, slots=True)
class Touch:
    """What stands for an input partition where output comes from elsewhere: rows computed again, say.

    The partition's position is committed once more with that output, so that the broker refuses it when the
    generation is over.
    """

    topic: str
    partition: int
    assignment: Assignment


class StateSink(Protocol):
    """State whose changelog is part of the checkpoints."""

    def take_over(self, assignment: Assignment, cancelled: Callable[[], bool]) -> bool:
        """Restore what belongs to an assignment; False when cancelled before the end. Blocks, in a thread."""

    def give_up(self) -> None:
        """Learn, in the event loop, that what was not committed will be read again."""

    def write(self, changes: Iterable[Any]) -> None:
        """Write what was committed. Blocks, in a thread; called for one checkpoint after another."""

    def release(self, changes: Iterable[Any]) -> None:
        """Learn, in the event loop, that these are written."""


@dataclass(slots=True)
class Output:
    """Everything that one batch leads to. All of it goes into one Kafka transaction.

    `typed` (with changelog and tombstones) and `dead` hold positional arguments of confluent_kafka's
    `Producer.produce`, which cost 15 % less than keywords: topic, value, key, partition (-1: by key),
    callback, on_delivery, timestamp in ms, and for dead letters headers.
    """

    typed: list[TypedRecord] = field(default_factory=list)
    dead: list[DeadRecord] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    newest: NewestTimes = field(default_factory=dict)
    changes: list[Any] = field(default_factory=list)
    """Changes of state, for the StateSink once they are committed; their changelog is in `typed`."""
    mastery: Counter[str] = field(default_factory=Counter)


def keep_newest(kept: NewestTimes, more: NewestTimes) -> None:
    """Take over into `kept` what of `more` is newer."""
    for source, time in more.items():
        if source not in kept or kept[source] < time:
            kept[source] = time

"""The marks of replayed dead letters: a compacted topic, written in the transaction that replays them.

Not offsets of a consumer group, for two reasons. One position cannot say that a letter of one kind was
replayed and the one of another kind before it was not. And Kafka forgets the positions of a group that
nobody is in after a week (offsets.retention.minutes), while dead letters are kept for a month.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Self

import msgspec

from app.errors import MasteryError
from app.kafka import AccessDenied
from app.reader import Record, TopicReader, topic_missing
from app.replay.letters import Letter, Place, place_text
from app.settings import Settings

__all__ = ["Mark", "MarkUnreadable", "Marks", "digest", "mark_key", "read_marks"]


class MarkUnreadable(MasteryError):
    """A record in the topic of marks that is no mark."""


class Mark(msgspec.Struct, frozen=True):
    """Where a dead letter went: to which place of which raw topic, for which time (from 1), and when.

    `at` is in milliseconds since the epoch. `letter` is the `digest` of the letter that was sent: when the
    dead-letter topic is deleted and made anew, other letters stand at the same places.
    """

    letter: str
    topic: str
    partition: int
    offset: int
    count: int
    at: int

    def encoded(self) -> bytes:
        """Return it as the JSON that stands in the topic."""
        return msgspec.json.encode(self)


def mark_key(place: Place) -> bytes:
    """Return the key of the mark of the letter at `place`."""
    return place_text(place).encode()


def digest(letter: Letter) -> str:
    """Return 32 hex digits that tell this letter from another one at its place in a topic made anew."""
    why, record = letter.why, letter.record
    origin = f"{why.topic}/{why.partition}/{why.offset}" if why else ""
    return sha256(f"{record.timestamp} {origin}\n".encode() + (record.value or b"")).hexdigest()[:32]


class Marks:
    """All marks, by the place of their letter."""

    def __init__(self, found: Mapping[bytes, bytes]) -> None:
        self._found = found

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> Self:
        """Take the last record of each key; one without a value takes the mark away."""
        found: dict[bytes, bytes] = {}
        for record in records:
            key = record.key or b""
            if record.value is None:
                found.pop(key, None)
            else:
                found[key] = record.value
        return cls(found)

    def of(self, letter: Letter) -> Mark | None:
        """Return the mark of this letter, None when it was not replayed. Raises MarkUnreadable."""
        raw = self._found.get(mark_key(letter.place))
        if raw is None:
            return None
        try:
            mark = msgspec.json.decode(raw, type=Mark)
        except msgspec.MsgspecError:
            raise MarkUnreadable(
                f"the mark of dead letter {place_text(letter.place)} cannot be read",
                hint="something else than `mastery dead-letters replay` writes to its topic",
            ) from None
        return mark if mark.letter == digest(letter) else None

    def gone(self, first: Mapping[int, int]) -> list[bytes]:
        """Return the keys of marks whose letters are deleted: those below the `first` of their partition."""
        keys = []
        for key in self._found:
            partition, _, offset = key.partition(b":")
            if partition.isdigit() and offset.isdigit() and int(offset) < first.get(int(partition), 0):
                keys.append(key)
        return keys


def read_marks(settings: Settings, partitions: Mapping[str, list[int]]) -> Marks:
    """Read all marks; `partitions` as `topic_partitions` returns them. None where the topic is not there.

    Raises AccessDenied, also for a topic that this user may not see, and other BrokerFailures.
    """
    topic = settings.replays_topic
    if topic not in partitions:
        missing = topic_missing(settings, topic)
        if isinstance(missing, AccessDenied):
            raise missing
        return Marks({})
    records: list[Record] = []
    with TopicReader.whole(settings, [topic], partitions) as reader:
        while not reader.at_end:
            records += reader.read(0.5)
    return Marks.of_records(records)

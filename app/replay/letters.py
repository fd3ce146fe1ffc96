"""The dead letters of the topic, each with what its headers and its raw record tell."""

import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING

from app.deadletter import DeadLetter, parse_headers
from app.errors import MasteryError
from app.reader import REQUEST_TIMEOUT, Record, TopicReader, find_topic
from app.replay.headers import Replay, replay_of
from app.settings import Settings
from app.values import plain

__all__ = ["UNKNOWN_KIND", "Letter", "NoSuchDeadLetter", "Place", "letter_at", "place_text", "read_letters"]

Place = tuple[int, int]
"""Partition and offset in the dead-letter topic."""

#: Canvas's are snake_case, some with a dot; others may be written by hand.
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}")

#: The kind of a record that no worker wrote.
UNKNOWN_KIND = "unknown"


class NoSuchDeadLetter(MasteryError):
    """No dead letter stands at that place."""


def place_text(place: Place) -> str:
    """Return the id that a person sees: PARTITION:OFFSET."""
    return f"{place[0]}:{place[1]}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A record of the dead-letter topic; `why` is None when something else than a worker wrote it."""

    record: Record
    why: DeadLetter | None

    @classmethod
    def of(cls, record: Record) -> "Letter":
        """Read the record's headers."""
        return cls(record, parse_headers(record.headers))

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.record.partition, self.record.offset

    @property
    def age(self) -> tuple[int, int, Place]:
        """Sorts the oldest first: by the raw record's timestamp, which the letter has, and by replays."""
        return self.record.timestamp, self.replays, self.place

    @property
    def kind(self) -> str:
        """What was wrong, as in `mastery.error.kind`."""
        return self.why.kind if self.why else UNKNOWN_KIND

    @property
    def original_headers(self) -> Collection[tuple[str, bytes | None]]:
        """The raw record's headers, those of an earlier replay among them."""
        return self.why.original if self.why else self.record.headers

    @property
    def replay(self) -> Replay | None:
        """The replay that it failed again after, if there was one."""
        return replay_of(self.record.headers)

    @property
    def replays(self) -> int:
        """How often its raw record had been replayed when it failed."""
        return 0 if self.replay is None else self.replay.count

    @property
    def event_name(self) -> str | None:
        """The event's name, where the raw bytes still tell one: a broken record promises nothing.

        What cannot be a name is not shown: it may be anything, for a terminal or about a person.
        """
        value = plain(self.record.value)
        if not isinstance(value, dict):
            return None
        metadata = value.get("metadata") or value.get("attributes")
        name = metadata.get("event_name") if isinstance(metadata, dict) else None
        return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def read_letters(
    settings: Settings, partitions: Mapping[str, list[int]], wanted: Collection[int] | None = None
) -> Iterator[Letter]:
    """Read the topic as it is now, or the `wanted` partitions of it.

    `partitions` is what `topic_partitions` returns. Raises TopicMissing and BrokerFailure.
    """
    topic = find_topic(settings, settings.dead_letter_topic, partitions)
    chosen = [p for p in partitions[topic] if wanted is None or p in wanted]
    with TopicReader(settings, {(topic, p): OFFSET_BEGINNING for p in chosen}) as reader:
        while not reader.at_end:
            yield from map(Letter.of, reader.read(0.5))


def letter_at(settings: Settings, partitions: Mapping[str, list[int]], place: Place) -> Letter:
    """Read one letter. Raises NoSuchDeadLetter, TopicMissing and BrokerFailure."""
    topic = find_topic(settings, settings.dead_letter_topic, partitions)
    partition, offset = place
    if partition in partitions[topic]:
        deadline = time.monotonic() + REQUEST_TIMEOUT
        with TopicReader(settings, {(topic, partition): offset}) as reader:
            # Behind the end there is no record to come, and not every broker says that it is the end.
            while not reader.at_end and time.monotonic() < deadline:
                for record in reader.read(0.5):
                    if record.offset == offset:
                        return Letter.of(record)
                    raise nothing_at(topic, place)
    raise nothing_at(topic, place)


def nothing_at(topic: str, *places: Place) -> NoSuchDeadLetter:
    """Say that nothing stands at these places."""
    return NoSuchDeadLetter(
        f"{topic} has no record at {', '.join(map(place_text, places))}",
        hint="`mastery dead-letters list` shows what is there",
    )

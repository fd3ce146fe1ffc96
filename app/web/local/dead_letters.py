"""Dead letters, as the topic has them: any worker can read it, so none asks another."""

import sys
import threading
import time
from typing import Final

from confluent_kafka import OFFSET_BEGINNING

from app.errors import MasteryError
from app.events.errors import ErrorKind
from app.reader import Record, TopicReader, find_topic, topic_partitions
from app.replay.letters import Letter, NoSuchDeadLetter, Place, letter_at, place_text
from app.replay.marks import Mark, digest
from app.settings import Settings
from app.web.local.letter_index import Entry, LetterIndex
from app.web.local.letter_text import escaped, indented_json
from app.web.local.offsets import topic_spans
from app.web.local.shared import PATIENCE, Shared, broker_away, from_broker
from app.web.models.base import Freshness
from app.web.models.stream import (
    DeadLetter,
    DeadLetterAnswer,
    DeadLetterCount,
    DeadLetterPage,
    DeadLetterQuery,
)
from app.web.problems import NotFound
from app.web.security.viewer import Viewer

__all__ = ["DeadLetters"]

#: Letters that are listed, some 400 bytes each.
_LISTED: Final = 50_000
_MARKS: Final = 100_000
#: Seconds for which the list is as fresh as need be.
_KEEP: Final = 2.0
#: Seconds after which a partition that gives neither records nor its end is left for another time.
_SILENCE: Final = 5.0
#: Seconds between two looks at what Kafka has deleted.
_LOOK: Final = 60.0
#: Bytes of a record in which an event's name is looked for.
_NAMED: Final = 1024 * 1024
_MESSAGE: Final = 300
_HEADER: Final = 2000
_KNOWN_KINDS: Final = frozenset(ErrorKind)


class DeadLetters:
    """Follows the topic of dead letters when asked, from where it was left."""

    def __init__(
        self, settings: Settings, *, listed: int = _LISTED, keep: float = _KEEP, patience: float = PATIENCE
    ) -> None:
        self._settings = settings
        self._listed = listed
        self._index = LetterIndex(listed)
        self._marks: dict[Place, tuple[bytes, int]] = {}
        """By place of the letter: its digest, and how often its raw record was sent again."""
        self._positions: dict[tuple[str, int], int] = {}
        self._looked = float("-inf")
        self._lock = threading.Lock()
        """Of all above: the thread that follows changes it, requests read it."""
        self._as_of = 0.0
        self._complete = False
        self._followed = Shared(self._follow, keep=keep, name="dead-letters", patience=patience)

    async def page(self, query: DeadLetterQuery) -> DeadLetterPage:
        """The newest letters and counts of all. Raises BrokerAway, and BadParameter for a foreign cursor."""
        reading = not await self._refreshed()
        with self._lock:
            found = self._index.find(query)
            return DeadLetterPage(
                letters=tuple(map(self._shown, found.entries)),
                counts=tuple(
                    DeadLetterCount(hour=hour, kind=kind, count=count)
                    for hour, kind, count in self._index.hours
                ),
                total=self._index.total,
                by_kind=self._index.kinds,
                next=found.next,
                previous=found.previous,
                reading=reading,
                listed=None if self._index.listed == self._index.total else self._index.listed,
                freshness=self._freshness(),
            )

    async def one(self, viewer: Viewer, partition: int, offset: int) -> DeadLetterAnswer:
        """One letter; its bytes, key and headers for who sees everything. Raises NotFound and BrokerAway."""
        place = (partition, offset)
        reading = not await self._refreshed()
        with self._lock:
            end = self._positions.get((self._settings.dead_letter_topic, partition))
        # Behind the end a broker would have to be waited for, and none sits between ours and the end.
        if (end is None or offset >= end) and not reading:
            raise _nothing_at(place)
        asked = Shared(
            lambda: self._read(place), keep=0, name="dead-letter", patience=self._followed.patience
        )
        found = (await from_broker(asked, self._settings.broker)).value
        if found is None:
            raise _nothing_at(place)
        entry = self._entry(found)
        with self._lock:
            letter = self._shown(entry)
        # Bytes hold students' ids as Canvas wrote them.
        shown = viewer.sees_everything and not self._settings.web_pseudonyms
        return _detail(found, letter, self._freshness(), shown=shown)

    async def _refreshed(self) -> bool:
        """Whether the topic was read to its end; False while a first reading takes long."""
        try:
            self._as_of = (await self._followed.get()).at
        except (TimeoutError, MasteryError) as error:
            if isinstance(error, TimeoutError) and self._positions:
                return False
            raise broker_away(error, self._settings.broker, self._followed.patience) from None
        return self._complete

    def _freshness(self) -> Freshness:
        as_of = self._as_of or time.time()
        return Freshness(as_of=as_of, behind_seconds=max(0.0, time.time() - as_of))

    def _follow(self) -> None:
        """Read what has come since the last time."""
        partitions = topic_partitions(self._settings)
        letters = find_topic(self._settings, self._settings.dead_letter_topic, partitions)
        topics = [letters, *({self._settings.replays_topic} & partitions.keys())]
        places = {(topic, partition) for topic in topics for partition in partitions[topic]}
        if time.monotonic() - self._looked > _LOOK:
            self._leave_out_deleted(letters, topics)
        positions = {place: self._positions.get(place, OFFSET_BEGINNING) for place in places}
        heard = time.monotonic()
        with TopicReader(self._settings, positions) as reader:
            # A partition without a leader has no end for now; what it has comes another time.
            while not reader.at_end and time.monotonic() - heard < _SILENCE:
                began = time.thread_time()
                records = reader.read(0.5)
                heard = time.monotonic() if records else heard
                entries = [self._entry(Letter.of(one)) for one in records if one.topic == letters]
                with self._lock:
                    for entry in entries:
                        self._index.add(entry)
                    for one in records:
                        if one.topic != letters:
                            self._mark(one)
                        self._positions[one.topic, one.partition] = one.offset + 1
                # Other threads answer requests meanwhile, and Python runs one at a time.
                time.sleep(time.thread_time() - began)
            self._complete = reader.at_end
        with self._lock:
            for place in places:
                self._positions.setdefault(place, 0)

    def _leave_out_deleted(self, letters: str, topics: list[str]) -> None:
        spans = topic_spans(self._settings, topics)
        known = {p: span for p, span in spans.get(letters, {}).items() if span is not None}
        with self._lock:
            if any(self._positions.get((letters, p), 0) > end for p, (_, end) in known.items()):
                # The topic is another one than it was.
                self._index = LetterIndex(self._listed)
                self._positions.clear()
                self._marks.clear()
            self._index.forget({p: first for p, (first, _) in known.items()})
        self._looked = time.monotonic()

    def _entry(self, letter: Letter) -> Entry:
        record, why = letter.record, letter.why
        size = None if record.value is None else len(record.value)
        kind = letter.kind
        if kind not in _KNOWN_KINDS:
            kind = self._index.kind_of(escaped(kind.encode(), 40)[0])
        message = escaped((why.message if why else "not written by a worker").encode(), _MESSAGE)[0]
        return Entry(
            time=record.timestamp,
            partition=record.partition,
            offset=record.offset,
            # Many letters have the same few texts.
            kind=sys.intern(kind),
            event=sys.intern(letter.event_name or "") or None if size is None or size <= _NAMED else None,
            message=sys.intern(message),
            source=f"{why.topic}[{why.partition}] {why.offset}" if why else None,
            size=size,
            replays=letter.replays,
            digest=bytes.fromhex(digest(letter)),
        )

    def _mark(self, record: Record) -> None:
        partition, _, offset = (record.key or b"").partition(b":")
        if not (partition.isdigit() and offset.isdigit()):
            return
        place = int(partition), int(offset)
        self._marks.pop(place, None)
        mark = _readable(record)
        if mark is not None:
            self._marks[place] = mark
            if len(self._marks) > _MARKS:
                del self._marks[next(iter(self._marks))]

    def _shown(self, entry: Entry) -> DeadLetter:
        marked, count = self._marks.get(entry.place, (b"", 0))
        return DeadLetter(
            id=place_text(entry.place),
            partition=entry.partition,
            offset=entry.offset,
            time=entry.time / 1000,
            kind=entry.kind,
            event=entry.event,
            message=entry.message,
            source=entry.source,
            bytes=entry.size,
            replayed=max(1, count - entry.replays) if marked == entry.digest else 0,
            replayed_before=entry.replays,
        )

    def _read(self, place: Place) -> Letter | None:
        partitions = topic_partitions(self._settings)
        try:
            return letter_at(self._settings, partitions, place)
        except NoSuchDeadLetter:
            return None


def _readable(record: Record) -> tuple[bytes, int] | None:
    """Digest and count of a mark; None where it is taken away, or no mark."""
    import msgspec  # noqa: PLC0415 - not for those who never look

    if record.value is None:
        return None
    try:
        mark = msgspec.json.decode(record.value, type=Mark)
        return bytes.fromhex(mark.letter), mark.count
    except (msgspec.MsgspecError, ValueError):
        return None


def _nothing_at(place: Place) -> NotFound:
    return NotFound(
        f"there is no dead letter at {place_text(place)}",
        hint="Kafka deletes dead letters when they are old; the list shows those that are there",
    )


def _detail(found: Letter, letter: DeadLetter, freshness: Freshness, *, shown: bool) -> DeadLetterAnswer:
    command = f"mastery dead-letters replay {letter.id}"
    path = letter.message.partition(f"{letter.kind} at ")[2] or None
    if not shown:
        return DeadLetterAnswer(
            letter=letter,
            path=path,
            key=None,
            headers=(),
            json_text=None,
            text=None,
            cut=False,
            hidden=True,
            replay_command=command,
            freshness=freshness,
        )
    raw = found.record.value or b""
    laid_out = indented_json(raw) if found.record.value is not None else None
    text, cut = laid_out or escaped(raw)
    return DeadLetterAnswer(
        letter=letter,
        path=path,
        key=None if found.record.key is None else escaped(found.record.key, _HEADER)[0],
        headers=tuple((name, escaped(value or b"", _HEADER)[0]) for name, value in found.record.headers),
        json_text=text if laid_out else None,
        text=text if not laid_out and found.record.value is not None else None,
        cut=cut,
        replay_command=command,
        freshness=freshness,
    )

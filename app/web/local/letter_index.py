"""What is remembered of the dead letters: a bounded list of the newest, and counts of all."""

import base64
import binascii
import bisect
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.replay.letters import UNKNOWN_KIND, Place
from app.web.models.stream import DeadLetterQuery
from app.web.problems import BadParameter

__all__ = ["HOUR", "Entry", "LetterIndex", "Slice"]

#: Seconds.
HOUR: Final = 3600

#: Kinds that are told apart. Workers write a dozen; whoever else writes to the topic may write anything.
_KINDS: Final = 50
#: Pairs of hour and kind: more than a month of a dozen kinds. Times are the raw records', so may be any.
_HOURS: Final = 10_000

_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One dead letter without its bytes. `time` is in milliseconds since 1970; `digest` is that of marks."""

    time: int
    partition: int
    offset: int
    kind: str
    event: str | None
    message: str
    source: str | None
    size: int | None
    replays: int
    digest: bytes

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.partition, self.offset

    @property
    def key(self) -> _Key:
        """Its place in the order, which no other has."""
        return self.time, self.partition, self.offset


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the list, the newest first, with the cursors of its neighbours."""

    entries: tuple[Entry, ...]
    next: str | None
    previous: str | None


class LetterIndex:
    """The newest `most` letters by time, and how many there are by kind and hour. Not for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: list[Entry] = []
        self._hours: Counter[tuple[int, str]] = Counter()
        self._kinds: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many letters there are, those that are not listed any more among them."""
        return self._kinds.total()

    @property
    def listed(self) -> int:
        """How many are in the list."""
        return len(self._entries)

    @property
    def kinds(self) -> dict[str, int]:
        """Counts by kind, the most first."""
        return dict(self._kinds.most_common())

    @property
    def hours(self) -> list[tuple[int, str, int]]:
        """Beginning of each hour (seconds since 1970), kind and count, in order."""
        return [(hour, kind, count) for (hour, kind), count in sorted(self._hours.items())]

    def kind_of(self, kind: str) -> str:
        """Return the kind that a letter is counted as: the unknown one when there are too many."""
        return kind if kind in self._kinds or len(self._kinds) < _KINDS else UNKNOWN_KIND

    def add(self, entry: Entry) -> None:
        """Take a letter that was not there yet."""
        self._kinds[entry.kind] += 1
        hour = (_hour(entry), entry.kind)
        if hour in self._hours or len(self._hours) < _HOURS:
            self._hours[hour] += 1
        bisect.insort(self._entries, entry, key=lambda one: one.key)
        if len(self._entries) > self._most:
            # Many at once: to take the first from a list moves all others.
            del self._entries[: max(1, self._most // 100)]

    def forget(self, first: dict[int, int]) -> None:
        """Leave out what Kafka has deleted: letters below the `first` offset of their partition."""
        gone = [entry for entry in self._entries if entry.offset < first.get(entry.partition, 0)]
        if not gone:
            return
        self._entries = [entry for entry in self._entries if entry.offset >= first.get(entry.partition, 0)]
        for entry in gone:
            self._kinds[entry.kind] -= 1
            self._hours[_hour(entry), entry.kind] -= 1
        # What is counted as zero or less is not there.
        self._kinds, self._hours = +self._kinds, +self._hours

    def find(self, query: DeadLetterQuery) -> Slice:
        """Return the letters that a query names. Raises BadParameter for a cursor of another query."""
        newer, key = _read_cursor(query) if query.cursor else (False, None)
        found: list[Entry] = []
        more = False
        for entry in self._from(key, newer=newer):
            if query.kind not in (None, entry.kind) or query.event not in (None, entry.event):
                continue
            if len(found) == query.limit:
                more = True
                break
            found.append(entry)
        if newer:
            found.reverse()
        older_follow = more if not newer else True
        newer_follow = more if newer else key is not None
        return Slice(
            tuple(found),
            _cursor(query, found[-1], newer=False) if found and older_follow else None,
            _cursor(query, found[0], newer=True) if found and newer_follow else None,
        )

    def _from(self, key: _Key | None, *, newer: bool) -> Iterator[Entry]:
        """From the newest on, or from beyond a letter that may be gone: to older ones, or to newer ones."""
        if key is None:
            return reversed(self._entries)
        if newer:
            at = bisect.bisect_right(self._entries, key, key=lambda one: one.key)
            return iter(self._entries[at:])
        at = bisect.bisect_left(self._entries, key, key=lambda one: one.key)
        return reversed(self._entries[:at])


def _hour(entry: Entry) -> int:
    return entry.time // 1000 // HOUR * HOUR


def _cursor(query: DeadLetterQuery, entry: Entry, *, newer: bool) -> str:
    content = [newer, *entry.key, query.kind, query.event]
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")


def _read_cursor(query: DeadLetterQuery) -> tuple[bool, _Key]:
    text = query.cursor or ""
    try:
        content = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        content = None
    match content:
        case [bool(newer), int(time), int(partition), int(offset), kind, event]:
            if (kind, event) == (query.kind, query.event):
                return newer, (time, partition, offset)
            raise BadParameter(
                "the cursor belongs to another list",
                hint="begin at the first page: leave `cursor` out",
                parameter="cursor",
            )
    raise BadParameter("this is no cursor", hint="cursors are `next` and `previous`", parameter="cursor")

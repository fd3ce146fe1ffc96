"""What a stretch of the raw topic holds, counted: events, envelopes, accounts, and what becomes of it."""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from app.deadletter import parse_headers
from app.events.envelopes import look_into
from app.inspect.telling import Telling, environment, tell
from app.reader import Record
from app.stream.batch import Assignment, Output, RecordBatch

__all__ = ["OTHERS", "AccountTally", "EventTally", "Extent", "RefusalTally", "Summary"]

#: What a table calls the rest, once it has so many entries: a broken topic may hold anything.
OTHERS: Final = "(others)"
_MOST: Final = 200

_NOBODY: Final = Assignment(0, "", frozenset())
_T = TypeVar("_T", int, datetime)


@dataclass(slots=True)
class Extent(Generic[_T]):
    """The least and the most of some values."""

    first: _T | None = None
    last: _T | None = None

    def add(self, value: _T) -> None:
        """Take one more in."""
        if self.first is None or value < self.first:
            self.first = value
        if self.last is None or value > self.last:
            self.last = value


@dataclass(slots=True)
class EventTally:
    """How many events of one name and generation, by what would become of them."""

    typed: int = 0
    ignored: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.typed + self.ignored + self.refused


@dataclass(slots=True)
class RefusalTally:
    """How many records would be refused for one reason, and where the first of them stands."""

    kind: str
    example: tuple[int, int]
    count: int = 0


@dataclass(slots=True)
class AccountTally:
    """The events of one root account, and which hosts and producers they name; None: none."""

    events: int = 0
    hosts: Counter[str | None] = field(default_factory=Counter)
    producers: Counter[str | None] = field(default_factory=Counter)

    @property
    def environments(self) -> Counter[str]:
        """Canvas's environments of the hosts."""
        found: Counter[str] = Counter()
        for host, count in self.hosts.items():
            if host not in (None, OTHERS):
                found[environment(str(host))] += count
        return found


class Summary:
    """Counts the records that it is given. `router` is the worker's, with the worker's settings.

    Keeps no values, only names and counts, and a bounded number of them.
    """

    def __init__(self, router: Callable[[RecordBatch], Output]) -> None:
        self._router = router
        self.records = 0
        self.bytes = 0
        self.largest = 0
        self.kafka_times: Extent[int] = Extent()
        self.event_times: Extent[datetime] = Extent()
        self.events: dict[tuple[str | None, str | None], EventTally] = {}
        self.refusals: dict[str, RefusalTally] = {}
        #: By what is packed in what, as `sqs,sns`.
        self.envelopes: Counter[str] = Counter()
        self.accounts: dict[str | None, AccountTally] = {}

    def add(self, record: Record) -> None:
        """Count one record."""
        raw = record.value
        self.records += 1
        self.bytes += len(raw or b"")
        self.largest = max(self.largest, len(raw or b""))
        self.kafka_times.add(record.timestamp)
        output = self._router(
            RecordBatch(record.topic, record.partition, record.offset, record.offset + 1, [record], _NOBODY)
        )
        told = [tell(raw)]
        if told[0].event_name is None and (contents := look_into(raw or b"")) is not None:
            told = [tell(part) for _, part in contents.parts]
            self.envelopes[",".join(contents.envelopes)] += 1
        for one in told:
            self._add_event(one, output)
        if output.dead:
            self._add_refusal(record, output)

    def _add_event(self, told: Telling, output: Output) -> None:
        entry = _entry(self.events, (told.event_name, told.generation), (OTHERS, None), EventTally)
        if output.dead:
            entry.refused += 1
        elif told.event_name in output.ignored:
            entry.ignored += 1
        else:
            entry.typed += 1
        if told.event_name is None:
            return
        account = _entry(self.accounts, told.root_account_uuid, OTHERS, AccountTally)
        account.events += 1
        for counts, name in ((account.hosts, told.hostname), (account.producers, told.producer)):
            counts[name if name in counts or len(counts) < _MOST else OTHERS] += 1
        if told.event_time is not None:
            self.event_times.add(told.event_time)

    def _add_refusal(self, record: Record, output: Output) -> None:
        headers = output.dead[0][7]
        why = parse_headers((name, value) for name, value in headers if isinstance(value, bytes))
        if why is None:
            raise ValueError("a dead letter without its headers")
        place = (record.partition, record.offset)
        _entry(self.refusals, why.message, OTHERS, lambda: RefusalTally(why.kind, place)).count += 1

    @property
    def needed(self) -> list[str]:
        """Names of all envelopes that were found, for the setting that opens them."""
        return sorted({name for packed in self.envelopes for name in packed.split(",")})

    @property
    def environments(self) -> Counter[str]:
        """Canvas's environments that the events name hosts of."""
        return sum((account.environments for account in self.accounts.values()), Counter())


_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


def _entry(entries: dict[_K, _V], key: _K, others: Any, make: Callable[[], _V]) -> _V:
    """The entry of a key, or of the rest once there are too many."""
    if key not in entries and len(entries) >= _MOST:
        key = others
    if key not in entries:
        entries[key] = make()
    return entries[key]

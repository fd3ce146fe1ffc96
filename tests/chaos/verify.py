"""The judge: what was fed against what a read_committed reader finds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.chaos.feeder import Fed, Place
from tests.chaos.sampler import Mark
from tests.chaos.workload import DEAD, IGNORED
from tests.support.records import Record

__all__ = ["Judge"]

_SHOWN = 5
_RESULTS = "results"


class Judge:
    """Takes all records of the output topics, then says what is wrong, by kind, one line each.

    Records are taken in offset order per partition. Each fed event must be found once, where it belongs, with
    the time of its raw record; events of one raw partition in their order within an output partition. Events
    of the same bytes must be found as often as they were fed. A key is in one partition of a topic, and a key
    of results in the same of all topics of results.
    """

    def __init__(self, fed: Mapping[Place, Fed], raw_topic: str) -> None:
        self._fed = fed
        self._raw_topic = raw_topic.encode()
        self._by_id: dict[str, list[Place]] = defaultdict(list)
        for place, item in fed.items():
            if item.event.outcome not in {DEAD, IGNORED}:
                self._by_id[item.event.event_id].append(place)
        self._found: dict[Place, list[Record]] = defaultdict(list)
        # The last raw offset by output topic and partition and raw partition.
        self._last: dict[tuple[str, int, int], int] = {}
        self._partitions: dict[tuple[str, bytes | None], int] = {}
        self._problems: dict[str, list[str]] = defaultdict(list)
        self._wrong: set[Place] = set()
        self.counts: Counter[str] = Counter()

    def take_typed(self, event_name: str, records: Iterable[Record]) -> None:
        """Take the records of one event's topic."""
        topic = _RESULTS if event_name.startswith("learning_outcome_result") else event_name
        for record in records:
            self.counts["typed"] += 1
            places = self._by_id.get(_event_id(record.value), [])
            # Of events of the same bytes it makes no difference which is which.
            place = min(places, key=lambda one: (len(self._found.get(one, ())), one), default=None)
            self._book(record, place, event_name, alone=len(places) == 1)
            if self._partitions.setdefault((topic, record.key), record.partition) != record.partition:
                self._problems["key in two partitions"].append(_where(record))

    def take_dead(self, records: Iterable[Record]) -> None:
        """Take the dead letters."""
        for record in records:
            self.counts["dead"] += 1
            place = self._origin(record)
            self._book(record, place, DEAD)
            if place in self._fed and record.value != self._fed[place].event.value:
                self._note("with other bytes", place, _where(record))

    def take_marks(self, marks: Sequence[Mark]) -> None:
        """Take what was committed and where the outputs ended right after, in the order of time.

        Called when all records are taken. Whatever lies below a committed offset lies below those ends: its
        transaction wrote it before it could commit, so none of this needs a clock.
        """
        at = dict.fromkeys({partition for partition, _ in self._fed}, 0)
        for mark in marks:
            for partition, committed in mark.committed.items():
                for offset in range(at.get(partition, committed), committed):
                    self._check_written((partition, offset), mark)
                at[partition] = max(at.get(partition, 0), committed)

    def problems(self) -> dict[str, list[str]]:
        """Return everything that is wrong."""
        found = dict(self._problems)
        lost = [f"raw {place}, {self._fed[place].event.outcome}" for place in self._lost()]
        twice = [
            f"raw {place}: {self._at(place)}" for place, records in self._found.items() if len(records) > 1
        ]
        return found | {kind: list_ for kind, list_ in (("lost", lost), ("more than once", twice)) if list_}

    def figures(self) -> dict[str, int]:
        """Return what a run reports: counts of what was fed, what was found, and what is wrong."""
        problems = self.problems()
        return {
            "fed": len(self._fed),
            "typed": self.counts["typed"],
            "dead_letters": self.counts["dead"],
            "ignored": sum(item.event.outcome == IGNORED for item in self._fed.values()),
            "lost": len(problems.get("lost", ())),
            "duplicates": len(problems.get("more than once", ())),
            "wrong": sum(map(len, problems.values())),
        }

    def first_wrong(self) -> str:
        """Tell the event that was fed first of all that something is wrong with, and where it was found."""
        twice = {place for place, records in self._found.items() if len(records) > 1}
        places = sorted(self._wrong | {*self._lost()} | twice, key=lambda place: self._fed[place].timestamp)
        if not places:
            return next((f"{kind}: {lines[0]}" for kind, lines in self.problems().items()), "")
        place = places[0]
        event = self._fed[place].event
        return f"raw {place}, belongs to {event.outcome}, found at: {self._at(place)}\n{event.value!r}"

    def __str__(self) -> str:
        lines = [f"{len(self._fed)} fed, found {dict(self.counts)}"]
        for kind, found in self.problems().items():
            lines.append(f"{len(found)} {kind}:")
            lines += [f"    {line}" for line in found[:_SHOWN]]
        return "\n".join(lines)

    def _lost(self) -> list[Place]:
        return [
            place
            for place, item in self._fed.items()
            if item.event.outcome != IGNORED and place not in self._found
        ]

    def _at(self, place: Place) -> str:
        return ", ".join(_where(record) for record in self._found.get(place, ())) or "nowhere"

    def _note(self, kind: str, place: Place, text: str) -> None:
        self._wrong.add(place)
        self._problems[kind].append(text)

    def _book(self, record: Record, place: Place | None, outcome: str, *, alone: bool = True) -> None:
        where = _where(record)
        item = self._fed.get(place) if place is not None else None
        if place is None or item is None:
            self._problems["made up"].append(where)
            return
        self._found[place].append(record)
        if item.event.outcome != outcome:
            self._note("in the wrong topic", place, f"{where}, raw {place} is {item.event.outcome}")
        if not alone:
            return
        if record.timestamp != item.timestamp:
            self._note("with another time", place, f"{where}: {record.timestamp}, not {item.timestamp}")
        raw_partition, raw_offset = place
        stretch = (record.topic, record.partition, raw_partition)
        if raw_offset < self._last.get(stretch, -1):
            self._note("out of order", place, f"{where}: raw {place} after {self._last[stretch]}")
        self._last[stretch] = raw_offset

    def _check_written(self, place: Place, mark: Mark) -> None:
        records = self._found.get(place, ())
        item = self._fed.get(place)
        if item is None or len(self._by_id.get(item.event.event_id, ())) > 1:
            return
        for record in records:
            end = mark.ends[record.topic, record.partition]
            if record.offset >= end:
                where = f"raw {place}: {_where(record)}, of {end} at {mark.moment}"
                self._note("committed before it was written", place, where)

    def _origin(self, record: Record) -> Place | None:
        """Where a dead letter says that it comes from."""
        names = ("topic", "partition", "offset")
        topic, partition, offset = (record.header(f"__streams.errors.{name}") for name in names)
        if topic != self._raw_topic or not partition or not offset:
            return None
        if not record.header("mastery.error.kind"):
            return None
        return int(partition), int(offset)


def _where(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"


def _event_id(value: bytes | None) -> str:
    """Read the first Avro field after the five bytes of Confluent's framing: a string of 32 characters."""
    if value is None or len(value) < 38 or value[0] != 0 or value[5] != 64:
        return ""
    return value[6:38].decode("ascii", "replace")

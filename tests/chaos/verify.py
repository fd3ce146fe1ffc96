"""The judge: what was fed against what a read_committed reader finds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tests.chaos.feeder import Fed, Place
from tests.chaos.workload import DEAD, IGNORED
from tests.support.records import Record

__all__ = ["Judge"]

_SHOWN = 5


class Judge:
    """Takes all records of the output topics, then says what is wrong, by kind, one line each.

    Records are taken in offset order per partition. Each fed event must be found once, where it belongs, with
    the time of its raw record; events of one raw partition in their order within an output partition.
    """

    def __init__(self, fed: Mapping[Place, Fed], raw_topic: str) -> None:
        self._fed = fed
        self._raw_topic = raw_topic.encode()
        self._by_id = {
            item.event.event_id: place
            for place, item in fed.items()
            if item.event.outcome not in {DEAD, IGNORED}
        }
        self._found: dict[Place, list[str]] = defaultdict(list)
        # The last raw offset by output topic and partition and raw partition.
        self._last: dict[tuple[str, int, int], int] = {}
        self._problems: dict[str, list[str]] = defaultdict(list)
        self._wrong: set[Place] = set()
        self.counts: Counter[str] = Counter()

    def take_typed(self, event_name: str, records: Iterable[Record]) -> None:
        """Take the records of one event's topic."""
        for record in records:
            self.counts["typed"] += 1
            self._book(record, self._by_id.get(_event_id(record.value)), event_name)

    def take_dead(self, records: Iterable[Record]) -> None:
        """Take the dead letters."""
        for record in records:
            self.counts["dead"] += 1
            place = self._origin(record)
            self._book(record, place, DEAD)
            if place in self._fed and record.value != self._fed[place].event.value:
                self._wrong.add(place)
                self._problems["with other bytes"].append(_where(record))

    def problems(self) -> dict[str, list[str]]:
        """Return everything that is wrong."""
        found = dict(self._problems)
        lost = [
            f"raw {place}, {item.event.outcome}"
            for place, item in self._fed.items()
            if item.event.outcome != IGNORED and place not in self._found
        ]
        twice = [f"raw {place}: {', '.join(at)}" for place, at in self._found.items() if len(at) > 1]
        return found | {kind: list_ for kind, list_ in (("lost", lost), ("more than once", twice)) if list_}

    def figures(self) -> dict[str, int]:
        """Return what a run reports: counts of what was fed, what was found, and what is wrong."""
        problems = self.problems()
        outcomes = Counter(item.event.outcome for item in self._fed.values())
        return {
            "fed": len(self._fed),
            "typed": self.counts["typed"],
            "dead_letters": self.counts["dead"],
            "ignored": outcomes[IGNORED],
            "lost": len(problems.get("lost", ())),
            "duplicates": len(problems.get("more than once", ())),
            "wrong": sum(map(len, problems.values())),
        }

    def first_wrong(self) -> str:
        """Tell the event that was fed first of all that something is wrong with, and where it was found."""
        by_time = sorted(self._wrong_places(), key=lambda place: self._fed[place].timestamp)
        if not by_time:
            return next((f"{kind}: {lines[0]}" for kind, lines in self.problems().items()), "")
        place = by_time[0]
        event = self._fed[place].event
        at = ", ".join(self._found.get(place, ())) or "nowhere"
        return f"raw {place}, belongs to {event.outcome}, found at: {at}\n{event.value!r}"

    def _wrong_places(self) -> set[Place]:
        lost = {
            place
            for place, item in self._fed.items()
            if item.event.outcome != IGNORED and place not in self._found
        }
        return self._wrong | lost | {place for place, at in self._found.items() if len(at) > 1}

    def __str__(self) -> str:
        lines = [f"{len(self._fed)} fed, found {dict(self.counts)}"]
        for kind, found in self.problems().items():
            lines.append(f"{len(found)} {kind}:")
            lines += [f"    {line}" for line in found[:_SHOWN]]
        return "\n".join(lines)

    def _book(self, record: Record, place: Place | None, outcome: str) -> None:
        where = _where(record)
        item = self._fed.get(place) if place is not None else None
        if place is None or item is None:
            self._problems["made up"].append(where)
            return
        self._found[place].append(where)
        if item.event.outcome != outcome:
            self._wrong.add(place)
            self._problems["in the wrong topic"].append(f"{where}, raw {place} is {item.event.outcome}")
        if record.timestamp != item.timestamp:
            self._wrong.add(place)
            self._problems["with another time"].append(f"{where}: {record.timestamp}, not {item.timestamp}")
        raw_partition, raw_offset = place
        stretch = (record.topic, record.partition, raw_partition)
        if raw_offset < self._last.get(stretch, -1):
            self._wrong.add(place)
            self._problems["out of order"].append(f"{where}: raw {place} after {self._last[stretch]}")
        self._last[stretch] = raw_offset

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

"""The three topics that hold rows, as far as they were read: last records by key, on disk."""

from collections.abc import Callable, Iterator

from app.mastery.forgotten import Forgotten, is_mark
from app.settings import Settings
from app.verify.compare import COURSES, ROWS, STATE, FoundRow
from app.verify.offsets import Place, bounds, places_of
from app.verify.reading import Found, read_stretch
from app.verify.records import LastRecords, Workspace

__all__ = ["RowTables"]


class RowTables:
    """Follows the topics of rows. `advance` reads what was committed since."""

    def __init__(self, settings: Settings, workspace: Workspace) -> None:
        self._settings = settings
        self.rows = LastRecords(workspace, "row")
        self.courses = LastRecords(workspace, "course")
        self.state = LastRecords(workspace, "state")
        self._by_topic = {
            settings.typed_topic(ROWS): self.rows,
            settings.typed_topic(COURSES): self.courses,
            settings.typed_topic(STATE): self.state,
        }
        self._next: dict[Place, int] = {}
        self._marks: dict[int, dict[bytes, bytes]] = {}
        self._indexed = False

    def topics(self) -> list[str]:
        """The full names of the topics."""
        return list(self._by_topic)

    def ends(self) -> dict[Place, tuple[int, int]]:
        """Return the stretches that `advance` would read now. Raises TopicMissing and BrokerFailure."""
        return {
            place: (max(begin, self._next.get(place, 0)), end)
            for place, (begin, end) in bounds(
                self._settings, places_of(self._settings, self._by_topic)
            ).items()
        }

    def advance(self, prefix: bytes = b"", heard: Callable[[int], None] = lambda _: None) -> int:
        """Read what is committed now, keys that begin with `prefix`; return the number of records."""
        stretches, count = self.ends(), 0
        for records in read_stretch(self._settings, stretches):
            for record in records:
                if record.key is None:
                    continue
                if is_mark(record.key):
                    self._mark(record)
                elif record.key.startswith(prefix):
                    count += 1
                    self._by_topic[record.topic].add(record.key, record.partition, record.value)
            heard(len(records))
        self._next |= {place: end for place, (_, end) in stretches.items()}
        if not self._indexed:
            self._indexed = True
            for table in self._by_topic.values():
                table.index()
        return count

    def forgotten(self, partition: int) -> Forgotten:
        """Return who was forgotten, of one partition of the changelog. Raises BlobError."""
        return Forgotten.read(self._marks.get(partition, {}))

    def _mark(self, record: Found) -> None:
        marks = self._marks.setdefault(record.partition, {})
        if record.key is not None and record.value is not None:
            marks[record.key] = record.value
        else:
            marks.pop(record.key or b"", None)

    def found(self, key: bytes) -> FoundRow:
        """Return all that is there of one row."""
        courses = {
            name: there for name in self.courses.beginning(key + b":") if (there := self.courses.of(name))
        }
        return FoundRow(self.rows.of(key), courses, self.state.of(key))

    def unexpected(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Yield keys of rows, in any topic, that were not expected; some twice."""
        yield from self.rows.unexpected(prefix)
        yield from self.state.unexpected(prefix)
        for key in self.courses.unexpected(prefix):
            yield key.rpartition(b":")[0]

"""A rebuild from the results: rows are taken away, and workers compute them from offset 0."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from app.errors import MasteryError
from app.partitioner import partition_of
from app.rebuild.writing import CHUNK
from app.settings import Settings
from app.verify.offsets import Place, bounds, places_of
from app.verify.records import LastRecords, Workspace
from app.verify.replay import Replayed, replay
from app.verify.tables import RowTables

__all__ = ["ResultsGone", "ResultsPlan", "ResultsRebuild"]


class ResultsGone(MasteryError):
    """Results that rows are made from are no longer in their topics."""


@dataclass(slots=True)
class ResultsPlan:
    """What a rebuild from the results comes to."""

    results: int = 0
    """That workers will read again."""
    rows: int = 0
    """That will come out of them."""
    kept: int = 0
    """In the changelog, to be taken away."""
    stale: int = 0
    """Published records that will not come out again, or lie in a wrong partition: to be deleted."""


class ResultsRebuild:
    """Takes the rows out of the changelog and puts the group's offsets of the results back to 0.

    Every step on the way is a state that workers can go on from: rows that are still there meet their results
    a second time, which changes nothing, and the others are computed from their first result on.
    """

    def __init__(self, settings: Settings, workspace: Workspace, decode: Callable[[bytes], Any]) -> None:
        self._settings = settings
        self._decode = decode
        self.tables = RowTables(settings, workspace)
        self._places = places_of(settings, settings.result_topics)
        self._partitions = len(self._places) // len(settings.result_topics)

    @property
    def positions(self) -> dict[Place, int]:
        """What the group is to stand at."""
        return dict.fromkeys(self._places, 0)

    def plan(self, heard: Callable[[int], None] = lambda _: None) -> ResultsPlan:
        """Find out what there is to do. Raises ResultsGone, TopicMissing and BrokerFailure."""
        plan = ResultsPlan()
        stretches = bounds(self._settings, self._places)
        if late := sorted({topic for (topic, _), (begin, _) in stretches.items() if begin > 0}):
            raise ResultsGone(
                f"{' and '.join(late)} no longer from offset 0: rows made from what is gone would be lost",
                hint="`mastery state rebuild --from-changelog` computes the rows again from what they keep",
            )
        self.tables.advance(heard=heard)
        for partition in sorted({partition for _, partition in self._places}):
            rows: dict[bytes, Replayed] = {}
            ours = {place: ends for place, ends in stretches.items() if place[1] == partition}
            plan.results += replay(
                self._settings,
                self._decode,
                ours,
                {place: end for place, (_, end) in ours.items()},
                rows,
                forgotten=self.tables.forgotten,
                heard=heard,
            )
            plan.rows += len(rows)
            for key, row in rows.items():
                self.tables.rows.expect(key)
                for course in {one.course_id for one in row.results.snapshots if one.course_id is not None}:
                    self.tables.courses.expect(key + b":" + course.encode())
        plan.kept = sum(1 for _ in self._kept())
        plan.stale = sum(1 for _ in self._stale())
        return plan

    def chunks(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the tombstones to write; the first chunk may be empty, for the offsets' sake."""
        yield []
        chunk: list[tuple[Any, ...]] = []
        for topic, key, partition in chain(self._stale(), self._kept()):
            chunk.append((topic, None, key, partition))
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _kept(self) -> Iterator[tuple[str, bytes, int]]:
        for key in self.tables.state.keys():  # noqa: SIM118 - not a dict
            for partition in self.tables.state.of(key):
                yield self._settings.changelog_topic, key, partition

    def _stale(self) -> Iterator[tuple[str, bytes, int]]:
        for topic, table in zip(self.tables.topics(), (self.tables.rows, self.tables.courses), strict=False):
            yield from ((topic, key, partition) for key, partition in self._stale_in(table))

    def _stale_in(self, table: LastRecords) -> Iterator[tuple[bytes, int]]:
        for key in table.keys():  # noqa: SIM118 - not a dict
            for partition in table.of(key):
                if not table.expects(key) or partition != partition_of(key, self._partitions):
                    yield key, partition

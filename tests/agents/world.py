"""Workers that compute mastery, with all but Kafka and Faust: logs in memory, real state files."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec

from app.agents import recompute
from app.agents.mastery import MasteryProcessor, add_mastery
from app.agents.publication import Publication
from app.agents.recompute import Recomputation
from app.agents.rows import MasteryRows
from app.definitions.changes import Changes, Vector
from app.errors import MasteryError
from app.mastery import blob
from app.mastery.row import Row
from app.mastery.rules import MasteryRules
from app.mastery.snapshot import RowKey
from app.state import table as table_module
from app.state.errors import StateUnavailable
from app.state.table import Changelog, StateTable
from app.stream.batch import Assignment, Output, RecordBatch
from app.stream.checkpoint import Checkpointer
from app.stream.errors import CheckpointFailed
from app.stream.handover import Handover
from app.stream.progress import Progress
from tests.definitions.support import LocalCopy
from tests.stream.fakes import FakeRecord

__all__ = ["CHANGELOG", "COURSES", "CREATED", "PARTITIONS", "ROWS", "UPDATED", "Log", "World"]

CREATED, UPDATED = "created", "updated"
ROWS, COURSES, CHANGELOG = "outcome_mastery", "course_outcome_mastery", "changelog"
PARTITIONS = 2
WEEK = 7 * 24 * 3600.0

Place = tuple[str, int]


class Log:
    """What a broker keeps: committed records by topic and partition, and the group's positions."""

    def __init__(self) -> None:
        self.records: dict[Place, list[tuple[bytes, bytes | None]]] = defaultdict(list)
        self.positions: dict[Place, int] = {}

    def last(self, topic: str) -> dict[bytes, bytes]:
        """The last record of each key, as compaction keeps it."""
        found = {}
        for (name, _), records in self.records.items():
            if name == topic:
                found.update(records)
        return {key: value for key, value in found.items() if value is not None}

    def restore(
        self, _config: Any, topic: str, stores: Any, *, cancelled: Any, report: Any, **_: Any
    ) -> bool:
        for partition, store in stores.items():
            records = self.records[topic, partition]
            if cancelled():
                return False
            if store.restoring:
                store.append(records[store.position :], len(records))
                store.finish_restore()
            else:
                store.write(dict(records[store.position :]), len(records))
        return True


class LogProducer:
    """A transactional producer that writes into a Log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: list[Any] = []

    def begin(self) -> None:
        assert not self._open

    def produce(self, output: Output) -> None:
        self._open += output.typed

    def commit(self, positions: Mapping[Place, int], _metadata: bytes) -> None:
        for topic, value, key, partition, delivered, *_ in self._open:
            records = self._log.records[topic, max(partition, 0)]
            records.append((key, value))
            if delivered is not None:
                offset = len(records) - 1
                delivered(None, SimpleNamespace(offset=lambda offset=offset: offset))
        self._open = []
        self._log.positions |= positions

    def abort(self) -> None:
        self._open = []


class App:
    """The part of StreamApp that the agents use."""

    def __init__(self, checkpointer: Checkpointer) -> None:
        self.checkpointer = checkpointer
        self.handover = Handover(checkpointer)
        self.failed: list[MasteryError] = []
        self.agent_function: Callable[[Any], Any] | None = None

    def fail(self, error: MasteryError) -> None:
        self.failed.append(error)

    def topic(self, *names: str, **_: Any) -> tuple[str, ...]:
        return names

    def agent(self, _topic: Any, name: str) -> Callable[[Any], Any]:
        assert name == "mastery"

        def register(function: Any) -> Any:
            self.agent_function = function
            return function

        return register


class Stream:
    """What Faust hands an agent."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[RecordBatch] = asyncio.Queue(4)

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        while True:
            yield SimpleNamespace(value=await self.queue.get())


class Source:
    """Definitions without a broker, as the recomputation sees them."""

    def __init__(self, definitions: LocalCopy) -> None:
        self.identity = "these"
        self._copy = definitions.copy

    @property
    def vector(self) -> Vector:
        return self._copy.vector

    def take_changes(self) -> Changes:
        return self._copy.take_changes()

    def changed_since(self, vector: Vector) -> Changes:
        return self._copy.changed_since(vector)


class Worker:
    """One process: what it holds in memory, over a state folder."""

    def __init__(self, world: "World", folder: Path) -> None:
        self.world = world
        self.progress = Progress()
        self.table = StateTable(folder, world.changelog, {})
        self.processor = MasteryProcessor(
            world.decode,
            self.table,
            world.definitions.lookup.resolve,
            Publication(
                row_topic=ROWS,
                course_topic=COURSES,
                encode_row=msgspec.msgpack.encode,
                encode_course=msgspec.msgpack.encode,
            ),
            changelog=CHANGELOG,
            clock=lambda: 1_000_000_000,
        )
        self.rows = MasteryRows(self.table, [CREATED, UPDATED], self._catch_up, self.progress)
        self.write_error: MasteryError | None = None
        self.failures: list[MasteryError] = []
        self.producer = LogProducer(world.log)
        self.checkpointer = Checkpointer(
            self.producer,
            self.progress,
            "group",
            interval=0.002,
            on_failure=self.failures.append,
            state=self,
        )
        self.app = App(self.checkpointer)
        self.stream = Stream()
        add_mastery(self.app, [CREATED, UPDATED], lambda: self.processor)
        self.recomputation = Recomputation(
            self.app, self.table, world.source, lambda: self.processor, CREATED
        )
        self._read: dict[Place, int] = {}
        self._tasks: list[asyncio.Task[Any]] = []

    # The StateSink, with a disk that can fail.

    def write(self, changes: Any) -> None:
        if self.write_error is not None:
            raise self.write_error
        self.rows.write(changes)

    def release(self, changes: Any) -> None:
        self.rows.release(changes)

    def start(self) -> None:
        assert self.app.agent_function is not None
        for work in (
            self.app.agent_function(self.stream),
            self.app.handover.run(),
            self.recomputation.run(),
        ):
            self._tasks.append(asyncio.ensure_future(work))

    def take_over(self, partitions: Iterable[int] = range(PARTITIONS)) -> Assignment:
        self.world.generation += 1
        places = frozenset((topic, number) for topic in (CREATED, UPDATED) for number in partitions)
        assignment = Assignment(self.world.generation, "member", places)
        assert self.rows.take_over(assignment, lambda: False)
        positions = {place: self.world.log.positions.get(place, 0) for place in places}
        self._read = dict(positions)
        self.checkpointer.open(assignment, positions)
        return assignment

    async def revoke(self) -> None:
        # A failure ends the worker, here as anywhere: see `broken`.
        with contextlib.suppress(CheckpointFailed):
            await self.checkpointer.drain()
        self.rows.give_up()

    async def read(self, place: Place, most: int) -> bool:
        """Hand the agent up to so many of a partition's next results; False when there are none."""
        assignment = self.checkpointer.assignment
        assert assignment is not None
        start = self._read[place]
        values = self.world.results[place][start : start + most]
        records = [FakeRecord(start + number, value=value) for number, value in enumerate(values)]
        self._read[place] = end = start + len(records)
        await self.stream.queue.put(RecordBatch(*place, start, end, records, assignment))
        return bool(records)

    async def end(self) -> None:
        """Stop at once, as if killed: what is not committed is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.checkpointer._settled()
        self.checkpointer.close()
        self.table.close()

    @property
    def places(self) -> list[Place]:
        """What there is to read from."""
        return sorted(self._read)

    @property
    def broken(self) -> bool:
        """The process would end now, for a reason that is known."""
        for task in self._tasks:
            if task.done() and not isinstance(task.exception(), MasteryError | None):
                task.result()
        return bool(self.failures or self.app.failed)

    def held(self) -> dict[RowKey, Row]:
        """All rows that the files hold, by key."""
        found = {}
        for partition in self.table.partitions:
            for key, value in self.table._partitions[partition].reader.scan(limit=10_000):
                row_key = RowKey(*key.decode().split(":"))
                row = blob.decode(row_key, value)[1]
                assert row is not None
                found[row_key] = row
        return found

    def noted(self) -> bool:
        """Whether each file says with which definitions its rows agree."""
        return all("definitions" in one.store.notes() for one in self.table._partitions.values())

    def _catch_up(self, cancelled: Callable[[], bool]) -> bool:
        self.world.definitions.copy.tell_changes()
        return not cancelled()


class World(contextlib.ExitStack):
    """Results of two topics, definitions, and the workers that come and go, one at a time."""

    def __init__(self, folder: Path, rules: MasteryRules) -> None:
        super().__init__()
        self.folder = folder
        self.log = Log()
        self.generation = 0
        self.events: list[dict[str, Any]] = []
        self.results: dict[Place, list[bytes]] = defaultdict(list)
        self.changelog = Changelog(
            CHANGELOG, "id", PARTITIONS, blob.FORMAT, lambda value: value[:1] == bytes([blob.FORMAT]), WEEK
        )
        self.definitions = self.enter_context(LocalCopy(folder / "copy", rules))
        self.source = Source(self.definitions)
        self.enter_context(mock.patch.object(table_module, "restore", self.log.restore))
        self.enter_context(mock.patch.object(recompute, "_LOOK_EVERY", 0.001))

    def add_result(self, event: dict[str, Any]) -> None:
        """Put a result at the end of its partition."""
        self.events.append(event)
        topic = event["metadata"]["event_name"].rpartition("_")[2]
        partition = 1 if event["body"]["user_uuid"] == "other" else 0
        self.results[topic, partition].append(b"%d" % (len(self.events) - 1))

    def decode(self, value: bytes) -> dict[str, Any]:
        return self.events[int(value)]

    def worker(self, folder: str = "state") -> Worker:
        return Worker(self, self.folder / folder)


DISK_FULL = StateUnavailable("no room")

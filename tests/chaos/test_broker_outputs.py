"""A topic that workers write to is gone, or takes no record. They must stop before it, and never skip."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.chaos.record import RunRecord
from tests.chaos.run import EVENT_NAMES, FaultRun
from tests.chaos.runs import FAILURE, Cluster, Runs, worker_settings
from tests.chaos.scenario import rounds, scenario
from tests.chaos.workload import DEAD, Event, workload
from tests.support.waiting import wait_until

RATE = 800
WAYS = ("deleted", "limited")
#: The group reads these again. Deleted, it has committed offsets beyond their ends, which is another story.
_READ_AGAIN = frozenset({"learning_outcome_result_created", "learning_outcome_result_updated"})


class _HeldBack(Iterator[Event]):
    """A workload without the events of one outcome, until they are let through."""

    def __init__(self, events: Iterator[Event], outcome: str) -> None:
        self._events, self._outcome = events, outcome
        self.free = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while True:
            event = next(self._events)
            if event.outcome != self._outcome or self.free.is_set():
                return event


class _OutputRun(FaultRun):
    """A run whose feeder holds back what belongs to one output topic; and what is done to that topic."""

    def __init__(
        self, kafka: Cluster, settings: Settings, folder: Path, outcome: str, seed: int, record: RunRecord
    ) -> None:
        self._events = _HeldBack(workload(seed), outcome)
        super().__init__(kafka, settings, folder, self._events, rate=RATE, record=record)
        self._outcome = outcome
        self.topic = settings.dead_letter_topic if outcome == DEAD else settings.typed_topic(outcome)
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})

    def break_topic(self, way: str) -> None:
        """Delete the topic, or let it take nothing above 100 bytes; then let its events through."""
        if way == "deleted":
            self._admin.delete_topics([self.topic])[self.topic].result(15.0)
        else:
            self._limit("100")
        self._events.free.set()

    def mend(self) -> None:
        """Bring the topic to what the catalogue says, as an operator would."""
        catalogue = load_catalogue(self.settings)
        apply(catalogue, TopicAdmin(self.settings))
        self._limit(catalogue.topics[self.topic].config["max.message.bytes"])

    def require_not_passed(self, committed: dict[int, int]) -> None:
        """Fail if an event that could not be written lies below these offsets."""
        passed = [
            place
            for place, fed in self.feeder.stop().items()
            if fed.event.outcome == self._outcome and place[1] < committed.get(place[0], 0)
        ]
        assert not passed, f"committed past {len(passed)} records that were nowhere: {sorted(passed)[:5]}"

    def _limit(self, size: str) -> None:
        entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.topic, incremental_configs=[entry])
        self._admin.incremental_alter_configs([resource])[resource].result(15.0)


class _Start(Protocol):
    def __call__(self, *, seed: int, outcome: str, part: str) -> _OutputRun: ...


@pytest.fixture
def output_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Start]:
    """Make a started run that holds back the events of one outcome."""
    made: list[Runs[_OutputRun]] = []

    def start(*, seed: int, outcome: str, part: str) -> _OutputRun:
        def make(
            kafka: Cluster, settings: Settings, folder: Path, *, seed: int, record: RunRecord, **_: object
        ) -> _OutputRun:
            return _OutputRun(kafka, settings, folder, outcome, seed, record)

        for runs in made:
            runs.close()
        folder = tmp_path / f"{seed}-{part}"
        folder.mkdir()
        made.append(Runs(request, folder, worker_settings, make))
        return made[-1](seed=seed, part=part)

    yield start
    for runs in made:
        runs.close(request.node.stash.get(FAILURE, None))


def _fail_and_mend(run: _OutputRun, way: str) -> None:
    """Break the topic under load, watch the worker end three times at least, mend, and judge."""
    [worker] = run.start_managed("worker")
    run.wait_for_progress(1_000, timeout=90.0)
    with run.fault(f"{run.topic} is {way}", left="maybe"):
        run.break_topic(way)
        wait_until(lambda: len(run.own_exits) >= 3, timeout=120.0, what="three ends", detail=run.logs)
        stuck_at = run.committed()
        assert run.require_work_left()
        # Whoever looks at the log is led to the topic.
        text = worker.log_file.read_text()
        assert "did not take all records of a checkpoint" in text, worker.log
        assert "mastery topics" in text, worker.log
        assert way == "limited" or f"do not exist: {run.topic}" in text, worker.log
        assert set(run.own_exits) == {1}, run.own_exits
        assert run.committed() == stuck_at
        run.mend()
    run.wait_for_progress(1_000, timeout=90.0)
    run.finish(timeout=120.0)
    run.require_not_passed(stuck_at)


@scenario("dead-letters-unwritable", seconds=400)
def test_dead_letters_cannot_be_written(output_run) -> None:
    """The dead-letter topic is deleted, or takes no record of more than 100 bytes; then broken events come.

    The worker ends before the first of them and again at each start; committed offsets stay below. When the
    topic is mended, each event is found exactly once.
    """
    for seed, _ in rounds("dead-letters-unwritable"):
        for way in WAYS:
            _fail_and_mend(output_run(seed=seed, outcome=DEAD, part=way), way)


@scenario("output-failing", seconds=400)
def test_one_of_twelve_output_topics_fails(output_run) -> None:
    """The same with the topic of one of the twelve events, any: it is deleted, or takes no record."""
    for seed, rng in rounds("output-failing"):
        for way in WAYS:
            names = [name for name in EVENT_NAMES if way == "limited" or name not in _READ_AGAIN]
            run = output_run(seed=seed, outcome=rng.choice(names), part=way)
            run.measure(topic=run.topic.removeprefix(run.settings.topic_prefix))
            _fail_and_mend(run, way)

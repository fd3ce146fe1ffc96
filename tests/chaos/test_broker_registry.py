"""The schema registry is away, hangs, or holds what does not fit. A proxy before it keeps what it holds."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from app.schemas.contract import load_contract
from app.settings import Settings
from tests.chaos.feeder import Feeder
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.record import RunRecord
from tests.chaos.runs import FAILURE, Cluster, Runs, worker_settings
from tests.chaos.scenario import rounds, scenario
from tests.chaos.test_broker_start import require_waiting
from tests.chaos.workload import Event
from tests.kafka.registry import SchemaRegistry
from tests.support.proxy import FaultProxy
from tests.support.records import end_offsets

#: An event whose schema clashes, and the field by which it does.
EVENT, FIELD = "rubric_assessed", "event_id"


@pytest.fixture
def link(registry: SchemaRegistry) -> Iterator[FaultProxy]:
    """The way to the registry."""
    with FaultProxy(urlsplit(registry.url).netloc) as proxy:
        yield proxy


@pytest.fixture
def client(registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    """A client of the registry's own."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


@pytest.fixture
def url(link: FaultProxy, registry: SchemaRegistry) -> str:
    """Where workers find the registry."""
    return urlsplit(registry.url)._replace(netloc=link.address).geturl()


class _LateSchool(Iterator[Event]):
    """A school whose events begin to flow when they are let."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.free = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        self.free.wait()
        return next(self._events)


class _LateRun(MasteryRun):
    """A run of mastery that feeds nothing until `feed`."""

    def __init__(self, kafka: Cluster, settings: Settings, folder: Path, **options: Any) -> None:
        super().__init__(kafka, settings, folder, **options)
        self._late = _LateSchool(self.school)
        self.feeder = Feeder(
            kafka.bootstrap, self.raw, self._late, partitions=settings.partitions, rate=options["rate"]
        )

    def feed(self) -> None:
        """Let the events flow."""
        self._late.free.set()

    def __exit__(self, *error: object) -> None:
        self.feed()
        super().__exit__(*error)


@pytest.fixture
def late_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs[_LateRun]]:
    def make(
        kafka: Cluster, settings: Settings, folder: Path, *, seed: int, rate: int | None, record: RunRecord
    ) -> _LateRun:
        return _LateRun(kafka, settings, folder, rate=rate or 600, seed=seed, record=record)

    runs = Runs(request, tmp_path, worker_settings, make)
    yield runs
    runs.close(request.node.stash.get(FAILURE, None))


@scenario("registry-away", seconds=180)
def test_registry_goes_away_while_workers_run(late_run, link: FaultProxy, url: str) -> None:
    """The registry goes away when a worker has started and before it has read a single event; later it hangs.

    The worker goes on with the ids and schemas that it knows since its start. Every row is the oracle's.
    """
    for seed, _ in rounds("registry-away"):
        run = late_run(seed=seed, rate=300, schema_registry_url=url)
        [worker] = run.start_managed("worker")
        with run.fault("the registry is away", left="maybe"):
            link.cut()
        run.feed()
        run.wait_for_progress(2_000, timeout=90.0)
        with run.fault("the registry hangs", left="before"):
            link.heal()
            link.blackhole()
        run.wait_for_progress(2_000, timeout=90.0)
        link.heal()
        run.finish(timeout=120.0)
        assert not run.own_exits, worker.log


@scenario("start-without-registry", seconds=180)
def test_worker_starts_before_the_registry(fault_run, link: FaultProxy, url: str) -> None:
    """A worker starts while the registry is away: it waits, not ready, and says why; nothing is written.

    When the registry is there work begins without a restart. Every event is found exactly once.
    """
    for seed, _ in rounds("start-without-registry"):
        run = fault_run(seed=seed, rate=1_000, schema_registry_url=url)
        worker = run.worker("worker")
        time.sleep(1.0)
        with run.fault("the worker starts while the registry is away", left="before"):
            link.cut()
            worker.start()
            require_waiting(worker, why="the schema registry at")
            assert not run.committed()
            link.heal()
        worker.wait_ready(90.0)
        run.finish(timeout=120.0)
        assert worker.running, worker.log


@scenario("schema-incompatible", ci=True, seconds=180)
def test_registry_holds_a_schema_that_does_not_fit(fault_run, client: SchemaRegistryClient, url: str) -> None:
    """Somebody has registered another schema for one of the twelve events: a field has another type.

    The worker does not start: one line names subject and field. Nothing is written or registered. When that
    version is deleted, the next start begins work; every event is found exactly once.
    """
    for seed, _ in rounds("schema-incompatible"):
        run = fault_run(seed=seed, rate=1_000, schema_registry_url=url)
        subject = run.settings.subject(run.settings.typed_topic(EVENT))
        clashing = json.loads(load_contract().events[EVENT].text)
        next(field for field in clashing["fields"] if field["name"] == FIELD)["type"] = "long"
        client.register_schema(subject, Schema(json.dumps(clashing), "AVRO"))
        before = {name for name in client.get_subjects() if name.startswith(run.settings.topic_prefix)}
        worker = run.worker("worker")
        time.sleep(1.0)
        with run.fault(f"{subject} clashes", left="before"):
            worker.start()
            assert worker.wait(30.0) == 1
            lines = worker.log_file.read_text().splitlines()
            assert any(subject in line and FIELD in line for line in lines), worker.log
            assert "Traceback" not in worker.log
            assert not run.committed()
            topics = [
                *map(run.settings.typed_topic, load_contract().topics),
                run.settings.dead_letter_topic,
                run.settings.schemas_topic,
            ]
            assert set(end_offsets(run.kafka.bootstrap, topics).values()) == {0}
            after = {name for name in client.get_subjects() if name.startswith(run.settings.topic_prefix)}
            assert after == before == {subject}
            for permanently in (False, True):
                client.delete_subject(subject, permanent=permanently)
        worker.start()
        worker.wait_ready(90.0)
        run.finish(timeout=120.0)

"""Poison pills: records that nobody can understand, many in a row, huge, empty, among good ones."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.chaos.conftest import RATE
from tests.chaos.record import RunRecord
from tests.chaos.run import FaultRun
from tests.chaos.runs import FAILURE, Cluster, Runs, worker_settings
from tests.chaos.scenario import rounds, scenario, times
from tests.chaos.workload import DEAD, Event, workload
from tests.support.waiting import wait_until

#: Of one round: so many in a row.
PILLS = times(10_000, ci=2_000)
_GOOD_BEFORE = 6_000

#: Bytes; the raw topic takes 1 MiB after compression.
_HUGE = 3_000_000


def _pill(rng: random.Random, mark: str) -> bytes | None:
    """A record that must become a dead letter. `mark` makes it another than all others."""
    text = mark.encode()
    return rng.choice(
        [
            None,
            b"",
            b"\x00\xff" + text,
            b"{" + text,
            b'"' + text + b'"',
            b'{"metadata": ' + b"[" * 2_000 + text,
            b"[" * 5_000 + b"]" * 5_000 + b" " * rng.randint(0, 500),
            b'{"a": "\xed\xa0\x80' + text + b'"}',
            json.dumps({"metadata": {"event_name": mark, "event_time": "now"}, "body": {}}).encode(),
            json.dumps({"metadata": {"event_name": "rubric_assessed"}, "body": {"id": [mark]}}).encode(),
            json.dumps({"metadata": None, "body": mark}).encode(),
            b'{"metadata": {"event_name": "rubric_assessed", "n": ' + b"9" * 400 + text + b"}}",
            rng.randbytes(rng.randint(1, 300)) + text,
        ]
    )


def _huge(rng: random.Random, mark: str) -> bytes:
    """Broken, and far larger than its topic takes before it is compressed."""
    return rng.choice(
        [
            b"[" * _HUGE + mark.encode(),
            b'{"metadata": "' + b"x" * _HUGE + mark.encode() + b'"}',
            b" " * _HUGE + mark.encode(),
        ]
    )


def pills(seed: int) -> Iterator[Event]:
    """Yield good events; then 10,000 pills in a row, one of a thousand of them huge; then good ones again."""
    rng = random.Random(f"{seed} pills")
    good = workload(seed)
    for _ in range(_GOOD_BEFORE):
        yield next(good)
    for number in range(PILLS):
        mark = f"pill-{seed}-{number}"
        yield Event(_huge(rng, mark) if number % 1_000 == 500 else _pill(rng, mark), DEAD)
    while True:
        yield next(good)
        if rng.random() < 0.002:
            yield Event(_huge(rng, f"pill-{seed}-{rng.random()}"), DEAD)


@pytest.fixture
def pill_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs[FaultRun]]:
    def make(
        kafka: Cluster, settings: Settings, folder: Path, *, seed: int, rate: int | None, record: RunRecord
    ) -> FaultRun:
        return FaultRun(kafka, settings, folder, pills(seed), rate=rate or RATE, record=record)

    runs: Runs[FaultRun] = Runs(request, tmp_path, worker_settings, make)
    yield runs
    runs.close(request.node.stash.get(FAILURE, None))


def _wait_fed(run: FaultRun, events: int) -> None:
    wait_until(lambda: run.feeder.count >= events, timeout=120.0, what=f"{events} events to be fed")


def _pace(run: FaultRun, events: int) -> float:
    """Events committed a second, over the next so many."""
    begun_at, before = time.monotonic(), sum(run.committed().values())
    run.wait_for_progress(events, timeout=120.0)
    return (sum(run.committed().values()) - before) / (time.monotonic() - begun_at)


@scenario("poison-pills", ci=True, seconds=300)
def test_poison_pills(pill_run) -> None:
    """10,000 broken records in a row (2,000 in CI), among them empty ones, ones of 3 MB and deep nesting.

    Before and after come good ones. All pills are dead letters with the same bytes and a reason, their good
    neighbours are typed, once. A worker that starts in front of all of it works them off no slower than a
    tenth of the pace of good events, and never ends.
    """
    for seed, _ in rounds("poison-pills"):
        run = pill_run(seed=seed)
        _wait_fed(run, _GOOD_BEFORE + PILLS + 2_000)
        worker = run.worker("worker")
        run.manage(worker)
        worker.start()
        run.wait_for_progress(1, timeout=90.0)
        good = _pace(run, _GOOD_BEFORE - 1_000)
        bad = _pace(run, PILLS)
        run.measure(good_per_second=round(good), pills_per_second=round(bad))
        run.finish(timeout=120.0)
        assert not run.own_exits, "the worker ended by itself"
        assert bad > good / 10, f"{bad:.0f} pills a second, {good:.0f} good events"

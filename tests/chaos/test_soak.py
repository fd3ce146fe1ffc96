"""Memory: it does not grow with the events that come, nor with those that have to wait."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.memory import Memory, slope
from tests.chaos.scenario import MINUTES, SEED, rounds, scenario
from tests.chaos.school import School, SchoolEvent
from tests.chaos.school_runs import StartSchool, is_result, school_runs, told_again
from tests.support.waiting import wait_until

#: Events after which the school stays as it is: the state and what is in mind of it do not grow any more.
_SETTLED = 5_000

#: Seconds of the short form, after the warm-up.
_SHORT = 90.0
_WARM_UP = 45.0

#: Bytes an event. To keep no more than the position and key of each would take 150. What the allocator does
#: by itself moves the line of a short run by a hundred, of one of ten minutes by ten.
_BOUND_SHORT, _BOUND_LONG = 300.0, 60.0
_LONG = 600.0

#: Bytes. Batches that wait are bounded by their number: some 4,000 records of each of 24 partitions.
_WAITING_BOUND = 250 * 1024 * 1024


@pytest.fixture
def school_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartSchool]:
    yield from school_runs(request, tmp_path)


class SettledSchool(School):
    """After 5,000 events nothing new comes, but updates of the results that there are."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._rng = random.Random(f"{seed} settled")
        self._results: list[SchoolEvent] = []
        self._count = 0

    def __next__(self) -> SchoolEvent:
        """Return the next event."""
        self._count += 1
        if self._count <= _SETTLED:
            event = super().__next__()
            if is_result(event):
                self._results.append(event)
            return event
        points = float(self._rng.randint(0, 5))
        at = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(seconds=self._count)
        told = self._rng.choice(self._results)
        return told_again(told, at, score=points, possible=5.0, percent=points / 5.0)


@scenario("memory-soak", seconds=420 + 60 * MINUTES)
def test_memory_does_not_grow(school_run) -> None:
    """A worker works for 90 s (MINUTES=60: an hour) after a warm-up of 45 s, in a school that stays as it is.

    The line through its resident memory, with that of its web process, over the events committed rises by
    less than 300 bytes an event, in ten minutes and more by less than 60: nothing is kept of each event.
    """
    seconds = max(_SHORT, 60 * MINUTES)
    run = school_run(SettledSchool, seed=SEED, web_view=True)
    worker = run.worker("worker")
    worker.start()
    worker.wait_ready(90.0)
    wait_until(lambda: run.feeder.count > _SETTLED, timeout=120.0, what="the school to settle")
    time.sleep(_WARM_UP)
    with Memory(worker.pid, lambda: sum(run.committed().values())) as memory:
        time.sleep(seconds)
    samples = memory.samples
    events = samples[-1].events - samples[0].events
    grown = slope(samples)
    run.measure(
        soak_seconds=round(seconds),
        soak_events=events,
        bytes_an_event=round(grown, 1),
        rss_first=samples[0].bytes,
        rss_last=samples[-1].bytes,
        rss_peak=memory.peak,
    )
    assert events > 5_000, f"only {events} events came: the run proves nothing"
    bound = _BOUND_LONG if seconds >= _LONG else _BOUND_SHORT
    assert grown < bound, f"{grown:.0f} bytes an event over {events} events: {samples[:: len(samples) // 20]}"
    run.finish(timeout=120.0)


@scenario("slow-disk-and-broker", seconds=420)
def test_what_has_to_wait_takes_no_memory(school_run) -> None:
    """A worker whose state files, then whose broker take a second longer, while events come far faster.

    It does not take in what it cannot get rid of: its memory stays within 250 MB of what it had when it
    was ready. A worker without these ills then works off what was left, and every row is the oracle's.
    """
    for seed, _ in rounds("slow-disk-and-broker"):
        run = school_run(SettledSchool, seed=seed, rate=1_500)
        wait_until(
            lambda feeder=run.feeder: feeder.count > 20_000, timeout=180.0, what="20,000 events to be fed"
        )
        for step in ("disk", "broker"):
            worker = run.worker("worker", module=("tests.chaos.slow_worker",), SLOW=f"{step}:1.0")
            worker.start()
            worker.wait_ready(90.0)
            with Memory(worker.pid, lambda run=run: sum(run.committed().values())) as memory:
                time.sleep(20.0)
            with run.fault(f"the slow {step} is over"):
                worker.terminate()
                assert worker.wait(60.0) == 0, worker.log
            grown = memory.peak - memory.samples[0].bytes
            run.measure(**{f"bytes_grown_slow_{step}": grown, f"rss_peak_slow_{step}": memory.peak})
            assert grown < _WAITING_BOUND, f"{grown >> 20} MiB more, with a slow {step}"
        run.feeder.stop()
        run.worker("worker").start()
        run.finish(timeout=180.0)

"""What is told is strange: times of 1970 and 9999, any order, repeats, one student with nearly all."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chaos.scenario import rounds, scenario, times
from tests.chaos.school import School, SchoolEvent
from tests.chaos.school_runs import SchoolRun, StartSchool, is_result, school_runs, told_again
from tests.support.records import CommittedOffsets, end_offsets
from tests.support.waiting import wait_until

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def school_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartSchool]:
    """Make a started run: `school_run(StrangeTimes, seed=1)`."""
    yield from school_runs(request, tmp_path)


class StrangeTimes(School):
    """Every fifth result is told once more, as of 1970 or 9999: the event, the update or the assessment."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._rng = random.Random(f"{seed} times")
        self._strange: list[SchoolEvent] = []

    def __next__(self) -> SchoolEvent:
        """Return the next event."""
        if self._strange:
            return self._strange.pop()
        event = super().__next__()
        if is_result(event) and self._rng.random() < 0.2:
            at = self._rng.choice(
                [
                    _FIRST,
                    _FIRST + timedelta(seconds=self._rng.randint(0, 99)),
                    _LAST,
                    _LAST - timedelta(days=1),
                ]
            )
            assessed = self._rng.choice([_FIRST, _LAST, at])
            points = self._rng.choice([0.0, 1.0, 2.5, 4.0])
            self._strange.append(
                told_again(
                    event,
                    at,
                    assessed_at=assessed.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    score=points,
                    possible=5.0,
                    percent=points / 5.0,
                )
            )
        return event


class Disorder(School):
    """Of 3,000 events in turn each comes at any place, and one in ten a second time, at any other."""

    _WINDOW = 3_000

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._rng = random.Random(f"{seed} disorder")
        self._window: list[SchoolEvent] = []

    def __next__(self) -> SchoolEvent:
        """Return the next event."""
        if not self._window:
            fresh = [super(Disorder, self).__next__() for _ in range(self._WINDOW)]
            self._window = fresh + self._rng.sample(fresh, self._WINDOW // 10)
            self._rng.shuffle(self._window)
        return self._window.pop()


class HotKey(School):
    """Nine of ten events are about 20 results of one student."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._rng = random.Random(f"{seed} hot")
        self._hot: dict[str, SchoolEvent] = {}
        self.key: str | None = None

    def __next__(self) -> SchoolEvent:
        """Return the next event."""
        if len(self._hot) == 20 and self._rng.random() < 0.9:
            told = self._rng.choice(sorted(self._hot.items()))[1]
            points = float(self._rng.randint(0, 5))
            at = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self._rng.randint(0, 10**10))
            return told_again(told, at, score=points, possible=5.0, percent=points / 5.0)
        event = super().__next__()
        if is_result(event) and len(self._hot) < 20:
            told = event.expected
            key = f"{told['metadata']['root_account_uuid']}:{told['body']['user_uuid']}"
            self.key = self.key or key
            if key == self.key:
                self._hot[told["body"]["id"]] = event
            elif self._rng.random() < 0.5:
                # Another result of the hot student, as one of the same course.
                number = f"9{len(self._hot):06}"
                first = next(iter(self._hot.values()), event)
                self._hot[number] = told_again(first, datetime(2026, 12, 31, tzinfo=UTC), id=number)
        return event


@scenario("strange-times", seconds=300)
def test_times_of_1970_and_9999(school_run) -> None:
    """Every fifth result is told again with times of 1970 or of 9999, while a worker is killed (-9) twice.

    Rules on the data decide, never a clock: an update of 1970 changes nothing, one of 9999 stays. Every row
    is the oracle's, and every event is typed once.
    """
    for seed, rng in rounds("strange-times"):
        run = school_run(StrangeTimes, seed=seed)
        worker = run.worker("worker")
        worker.start()
        for number in range(times(2, ci=1)):
            run.wait_for_rows(rng.randint(300, 500), timeout=90.0)
            with run.fault(f"kill {number}", left="now"):
                worker.kill()
            worker.start()
            worker.wait_ready(90.0)
        run.finish(timeout=120.0)


@scenario("disorder", ci=True, seconds=300)
def test_any_order_and_repeats(school_run) -> None:
    """3,000 events at a time come in any order, a tenth of them twice; a worker is killed (-9) in the middle.

    Every row is the oracle's, which knows no order; each delivery is typed once.
    """
    for seed, rng in rounds("disorder"):
        run = school_run(Disorder, seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(rng.randint(300, 500), timeout=90.0)
        with run.fault("kill", left="now"):
            worker.kill()
        worker.start()
        worker.wait_ready(90.0)
        run.wait_for_progress(2_000, timeout=90.0)
        run.finish(timeout=120.0)


class _Lag(NamedTuple):
    hot: int
    others: int


def _lag(run: SchoolRun, offsets: CommittedOffsets) -> _Lag:
    """Unread results, in the fullest partition and in the fullest of the others."""
    ends = end_offsets(run.kafka.bootstrap, run.settings.result_topics)
    committed = offsets.read()
    by_partition: dict[int, int] = {}
    for (topic, partition), end in ends.items():
        left = max(0, end - committed.get((topic, partition), 0))
        by_partition[partition] = by_partition.get(partition, 0) + left
    *_, others, hot = sorted(by_partition.values())
    return _Lag(hot, others)


@scenario("hot-key", seconds=420)
def test_a_hot_key(school_run) -> None:
    """Nine of ten events are about one student; 15,000 of them lie there before the worker starts.

    As it works them off, results of other partitions do not wait behind those of the hot one: while that has
    more than 1,000 unread, no other one has half as many. Every row is the oracle's.
    """
    for seed, _ in rounds("hot-key"):
        run = school_run(HotKey, seed=seed, rate=3_000)
        _wait_fed(run, 15_000)
        run.worker("worker").start()
        offsets = CommittedOffsets(run.kafka.bootstrap, run.settings.group_id, run.settings.result_topics)
        samples: list[_Lag] = []
        try:
            _sample_until_done(run, offsets, samples)
        finally:
            offsets.close()
        high = [one for one in samples if one.hot > 1_000]
        assert len(high) > 3, f"there was hardly any lag: {samples[:50]}"
        run.measure(most_unread_hot=max(one.hot for one in high), most_unread=max(one.others for one in high))
        worse = [one for one in high if one.others > one.hot / 2]
        assert len(worse) <= len(high) / 10, f"others wait behind the hot key: {worse[:5]}"
        run.finish(timeout=120.0)


def _sample_until_done(run: SchoolRun, offsets: CommittedOffsets, samples: list[_Lag]) -> None:
    def done() -> bool:
        samples.append(_lag(run, offsets))
        return sum(run.committed().values()) > 14_000 and samples[-1].hot < 1_000

    wait_until(done, timeout=150.0, what="the hot key's results to be worked off", detail=run.logs)


def _wait_fed(run: SchoolRun, events: int) -> None:
    wait_until(lambda: run.feeder.count >= events, timeout=120.0, what=f"{events} events to be fed")

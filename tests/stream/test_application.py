import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from app.errors import MasteryError
from app.stream.application import Delivery, StreamApp
from app.stream.errors import CheckpointFailed
from app.stream.progress import Progress
from tests.stream.copying import CopyingWorker, Scene
from tests.support.records import produce

PARTITIONS = 4
VALUES = [b"%d" % number for number in range(400)]
#: Slow enough to be in the middle of something whenever something happens.
SLOW = {"pause": 0.004, "max_records": 10}


@dataclass(frozen=True)
class Ending:
    """How a worker ended, and what there was then: records copied, records whose offsets are committed."""

    exit_status: int
    seconds: float
    copied: Counter[bytes | None]
    committed: int


@dataclass(frozen=True)
class CameAndWent:
    """Exit statuses of workers, what was copied, and the logs of those that failed."""

    exits: list[int]
    copied: Counter[bytes | None]
    logs: str


def prepare(scene: Scene) -> None:
    scene.create_topics(PARTITIONS)
    for partition in range(PARTITIONS):
        produce(scene.bootstrap, scene.source, VALUES[partition::PARTITIONS], partition=partition)


def stop(scene: Scene, worker: CopyingWorker) -> Ending:
    asked_at = time.monotonic()
    exit_status = worker.terminate()
    seconds = time.monotonic() - asked_at
    return Ending(exit_status, seconds, scene.copied(), sum(scene.positions().values()))


def stopped_in_the_middle(scene: Scene) -> tuple[Ending, Ending]:
    prepare(scene)
    pure = scene.params["pure"]
    with CopyingWorker(scene, scene.job(**SLOW), pure=pure).running() as first:
        first.wait_for_records(50)
        middle = stop(scene, first)
    with CopyingWorker(scene, scene.job(), pure=pure).running() as second:
        second.wait_for_records(len(VALUES))
        return middle, stop(scene, second)


def workers_come_and_go(scene: Scene) -> CameAndWent:
    """Have one worker, then two, three, two, one."""
    prepare(scene)
    jobs = [scene.job(name=f"worker{number}", **SLOW) for number in range(3)]
    pure = scene.params["pure"]
    with CopyingWorker(scene, jobs[0], pure=pure).running() as first:
        first.wait_for_records(30)
        with CopyingWorker(scene, jobs[1], pure=pure).running() as second:
            first.wait_for_records(120)
            with CopyingWorker(scene, jobs[2], pure=pure).running() as third:
                first.wait_for_records(200)
                exits = [first.terminate()]
                second.wait_for_records(300)
                exits.append(second.terminate())
                third.wait_for_records(len(VALUES))
                exits.append(third.terminate())
                logs = [worker.log for worker in (first, second, third) if worker.exit_status]
    return CameAndWent(exits, scene.copied(), "\n".join(logs))


def killed_one_after_another(scene: Scene) -> tuple[list[dict[int, int]], Counter[bytes | None]]:
    """Kill workers in mid-work, two at a time in the group; return the positions seen and what was copied."""
    prepare(scene)
    seen = []
    with CopyingWorker(scene, scene.job(name="worker0", **SLOW)).running() as worker:
        worker.wait_for_records(40)
    for number in range(1, 4):
        job = scene.job(name=f"worker{number}", **(SLOW if number < 3 else {}))
        with CopyingWorker(scene, job).running() as worker:
            worker.wait_for_records(min(len(VALUES), 120 * number))
            seen.append(scene.positions())
    return seen, scene.copied()


@dataclass(frozen=True)
class Fenced:
    """How a worker ended that was frozen past its session, and what the other one noticed of that."""

    exit_status: int
    last_words: list[str]
    assignments_before: list[str]
    assignments_after: list[str]
    copied: Counter[bytes | None]


def frozen_past_its_session(scene: Scene) -> Fenced:
    prepare(scene)
    slow = {"pause": 0.015, "max_records": 10}
    # Commits seldom: it is frozen with a transaction open.
    frozen = CopyingWorker(scene, scene.job(name="frozen", commit_interval=20.0, **slow))
    other = CopyingWorker(scene, scene.job(name="other", **slow))
    with frozen.running():
        frozen.wait_for_log("running with 4 partitions")
        with other.running():
            return frozen_beside(scene, frozen, other)


def frozen_beside(scene: Scene, frozen: CopyingWorker, other: CopyingWorker) -> Fenced:
    for worker in (frozen, other):
        worker.wait_for_log("running with 2 partitions")
    time.sleep(1.5)
    with frozen.stopped():
        other.wait_for_log("running with 4 partitions")
    before = other.logged("running with")
    exit_status = frozen.wait(20.0)
    other.wait_for_records(len(VALUES))
    last_words = frozen.logged("the worker stops")
    return Fenced(exit_status, last_words, before, other.logged("running with"), scene.copied())


SCENARIOS = {
    "test_sigterm_finishes_commits_and_exits_0": stopped_in_the_middle,
    "test_nothing_is_lost_or_doubled_while_workers_come_and_go": workers_come_and_go,
    "test_nothing_is_lost_or_doubled_when_workers_are_killed": killed_one_after_another,
    "test_a_worker_that_was_given_up_ends_and_disturbs_nobody": frozen_past_its_session,
}
compiled_and_pure = pytest.mark.parametrize("pure", [False, True], ids=["compiled", "pure"])


@compiled_and_pure
def test_sigterm_finishes_commits_and_exits_0(outcome: tuple[Ending, Ending], pure: bool) -> None:
    middle, end = outcome
    assert middle.exit_status == end.exit_status == 0
    assert middle.seconds < 10.0
    assert 50 <= middle.committed < len(VALUES)
    assert middle.copied.total() == middle.committed, "written without its offsets, or the other way round"
    assert end.copied == Counter(VALUES)


# The embedded broker may leave the last member of a group joining it again and again, the others having left.
@pytest.mark.kafka
@compiled_and_pure
def test_nothing_is_lost_or_doubled_while_workers_come_and_go(outcome: CameAndWent, pure: bool) -> None:
    assert outcome.copied == Counter(VALUES)
    assert outcome.exits == [0, 0, 0], outcome.logs


@pytest.mark.kafka
def test_nothing_is_lost_or_doubled_when_workers_are_killed(
    outcome: tuple[list[dict[int, int]], Counter[bytes | None]],
) -> None:
    seen, copied = outcome
    assert copied == Counter(VALUES)
    for before, after in itertools.pairwise(seen):
        assert all(before[partition] <= after[partition] for partition in before), "offsets went back"


@pytest.mark.kafka
def test_a_worker_that_was_given_up_ends_and_disturbs_nobody(outcome: Fenced) -> None:
    assert outcome.exit_status == 1
    assert len(outcome.last_words) == 1
    assert outcome.assignments_after == outcome.assignments_before, "it joined the group once more"
    assert outcome.copied == Counter(VALUES)


def test_the_first_reason_is_the_one_that_counts() -> None:
    progress = Progress()
    app = StreamApp("group", progress=progress, prepare=unused, checkpoint_interval=1.0, options={})
    app._crash(ValueError("a bug"))
    app.fail(CheckpointFailed("what follows from it"))
    assert app.failure is None
    assert isinstance(app.crash_reason, ValueError)


def test_a_failure_in_a_thread_is_told_in_the_loop_of_the_app() -> None:
    app = StreamApp("group", progress=Progress(), prepare=unused, checkpoint_interval=1.0, options={})
    told: list[tuple[MasteryError, int]] = []
    app.fail = lambda error: told.append((error, threading.get_ident()))  # type: ignore[method-assign]
    failure = CheckpointFailed("of something beside the stream")
    # Not yet started, there is no loop: the thread must not end by that.
    in_thread(lambda: app.fail_soon(failure))
    assert told == []

    async def main() -> None:
        app._running_in = asyncio.get_running_loop()
        await asyncio.to_thread(app.fail_soon, failure)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert told == [(failure, threading.get_ident())]
    in_thread(lambda: app.fail_soon(failure))
    assert len(told) == 1


def in_thread(call: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result(5.0)


def test_fausts_web_server_stays_off_whatever_its_command_says() -> None:
    app = StreamApp("group", progress=Progress(), prepare=unused, checkpoint_interval=1.0, options={})
    app.conf.web_enabled = True  # what `faust -A app.main worker` does
    assert not list(app.boot_strategy.web_server())


def unused() -> Delivery:
    raise AssertionError

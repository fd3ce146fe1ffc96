"""Several workers computing mastery: they come and go, hang and wake up, and definitions change meanwhile."""

import random
import signal
import time

import pytest

from tests.chaos.conftest import ROUNDS, SEED
from tests.chaos.run import FAULTY_WORKER
from tests.support.records import read_all
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240 * ROUNDS)]


ZOMBIE_STEPS = ("send_offsets+rows",)
LONG_ZOMBIE_STEPS = (
    *ZOMBIE_STEPS,
    "recompute",
    "begin",
    "produce",
    "flush+rows",
    "end+rows",
    "done+rows",
    "write",
    "release",
    "note",
)
#: Of a worker that takes partitions over. It has written nothing, and may take its share again.
LONG_STARTING_STEPS = ("take_over:1", "append:2", "finish_restore:2", "catch_up:1", "open:1")


@pytest.mark.parametrize("step", ZOMBIE_STEPS if ROUNDS == 1 else LONG_ZOMBIE_STEPS)
def test_a_zombies_rows_never_count(mastery_run, step: str) -> None:
    """It hangs at a step until another worker has taken its partitions over, and then wakes up."""
    run = mastery_run(seed=SEED + 34)
    zombie = run.worker("zombie", module=FAULTY_WORKER, FAULT=f"stop:{step}:5")
    zombie.start()
    wait_until(lambda: zombie.frozen, timeout=60.0, what=f"a stop at {step}", detail=run.logs)
    assert run.left_of(run.feeder.positions()) > 0
    run.school.redefine(1)
    run.worker("successor").start()
    run.wait_for_rows(200, timeout=40.0)
    zombie.thaw()
    # It must not go on as if nothing had been.
    assert zombie.wait(30.0) == 1, zombie.log
    run.wait_for_rows(200)
    run.finish()
    if step in {"send_offsets+rows", "end+rows"}:
        changelog = run.settings.changelog_topic
        seen = [len(read_all(run.kafka.bootstrap, changelog, committed=only)) for only in (True, False)]
        assert seen[0] < seen[1], "the zombie had written no rows: the run proves nothing"


@pytest.mark.skipif(ROUNDS == 1, reason="in longer runs alone: FAULT_ROUNDS=2")
def test_a_zombie_that_was_taking_over_spoils_nothing(mastery_run) -> None:
    """One after the other, each without files."""
    run = mastery_run(seed=SEED + 38)
    worker = run.worker("worker-0")
    worker.start()
    run.wait_for_rows(300)
    worker.terminate()
    assert worker.wait(30.0) == 0, worker.log
    for number, fault in enumerate(LONG_STARTING_STEPS):
        zombie = run.worker(f"zombie-{number}", module=FAULTY_WORKER, FAULT=f"stop:{fault}")
        zombie.start()
        wait_until(lambda z=zombie: z.frozen, timeout=60.0, what=f"a stop at {fault}", detail=run.logs)
        run.school.redefine(number)
        successor = run.worker(f"worker-{number + 1}")
        successor.start()
        run.wait_for_rows(200, timeout=40.0)
        zombie.thaw()
        run.wait_for_rows(200, timeout=40.0)
        zombie.kill()
        successor.terminate()
        assert successor.wait(30.0) == 0, successor.log
    run.worker("last").start()
    run.finish()


def test_workers_come_and_go_under_load(mastery_run) -> None:
    """One worker stays; two others come, and go by SIGTERM or kill -9; all definitions change in between.

    Scales of accounts and courses count, and change, too.
    """
    rng = random.Random(f"{SEED} guests")
    run = mastery_run(seed=SEED + 35, scales=True)
    steady = run.worker("steady")
    guests = [run.worker("guest-1"), run.worker("guest-2")]
    run.manage(steady)
    steady.start()
    steady.wait_ready()
    for number in range(5 * ROUNDS):
        guest = guests[number % 2]
        if not guest.running:
            guest.start()
            # One that has not come yet would go without a trace.
            guest.wait_ready(60.0)
            run.wait_for_rows(100)
        elif rng.random() < 0.4:
            guest.kill()
        else:
            guest.terminate()
            assert guest.wait(30.0) == 0, guest.log
        if number % 3 == 1:
            run.school.redefine(number)
        assert run.left_of(run.feeder.positions()) > 0
        time.sleep(rng.uniform(0.1, 2.0))
    run.finish()


def test_killed_while_rows_are_computed_again(mastery_run) -> None:
    """Every definition changes no result comes after it: nothing but the recomputation mends the rows."""
    run = mastery_run(seed=SEED + 36)
    worker = run.worker("worker")
    worker.start()
    run.wait_for_rows(500)
    worker.terminate()
    assert worker.wait(30.0) == 0, worker.log
    fed = run.feeder.count
    assert run.school.redefine(1) > 20
    wait_until(lambda: run.feeder.count > fed + 300, timeout=20.0, what="changes to be fed")
    judge = run.judge_of_fed()
    for step, count in (("recompute", 60), ("recompute", 150), ("note", 2)) * ROUNDS:
        worker = run.worker("worker", module=FAULTY_WORKER, FAULT=f"kill:{step}:{count}")
        worker.start()
        assert worker.wait(60.0) == -signal.SIGKILL, worker.log
        assert judge.differences(*run.published()) > 0, "nothing was left to do"
    run.worker("worker").start()
    run.finish()

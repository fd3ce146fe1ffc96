"""kill -9, at any moment and between any two steps of a checkpoint."""

import random
import signal
import time

import pytest

from tests.chaos.run import FAULTY_WORKER

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

STEPS = ("begin", "produce", "flush", "send_offsets", "end", "done")


def test_kill_at_ten_random_points(fault_run) -> None:
    """Every other kill hits a worker that is still starting or taking over its partitions."""
    rng = random.Random(20)
    run = fault_run(seed=1)
    worker = run.worker("worker")
    worker.start()
    kills = tries = 0
    while kills < 10:
        if tries % 2:
            time.sleep(rng.uniform(1.0, 5.0))
        else:
            worker.wait_ready()
            time.sleep(rng.uniform(0.05, 1.0))
        fed = run.feeder.positions()
        worker.kill()
        # A kill while nothing was left to do would prove nothing.
        kills += run.left_of(fed) > 0
        tries += 1
        assert tries < 20, f"only {kills} of {tries} kills hit a worker that had work left"
        worker.start()
    run.finish()


def test_kill_between_every_two_steps_of_a_checkpoint(fault_run) -> None:
    rng = random.Random(21)
    run = fault_run(seed=2)
    for step in STEPS:
        worker = run.worker(f"killed-{step}", module=FAULTY_WORKER, FAULT=f"kill:{step}:{rng.randint(1, 9)}")
        worker.start()
        assert worker.wait(30.0) == -signal.SIGKILL, worker.log
        assert run.left_of(run.feeder.positions()) > 0
    run.worker("last").start()
    run.finish()

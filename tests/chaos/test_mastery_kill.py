"""kill -9 while rows are computed: at any moment, between any two steps, and with the state folder gone."""

import random
import shutil
import signal
import time

import pytest

from tests.chaos.conftest import ROUNDS, SEED
from tests.chaos.run import FAULTY_WORKER

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240 * ROUNDS)]

#: Step and, at most, how often it was reached; in the order of a worker's life.
STEPS = (
    ("open", 1),
    ("recompute", 4),
    ("note", 5),
    ("flush+rows", 8),
    ("send_offsets+rows", 8),
    ("end+rows", 8),
    ("write", 20),
    ("note_in_file", 40),
    ("begin", 20),
)
#: Where nothing else happens before the next step than in the tests of the fan-out.
LONG_STEPS = (*STEPS, ("take_over", 1), ("catch_up", 1), ("produce", 20), ("release", 20))
#: Reached by a worker without state alone.
RESTORE_STEPS = (("append", 3), ("finish_restore", 3))


def _kill_at(run, step: str, count: int) -> None:
    worker = run.worker("worker", module=FAULTY_WORKER, FAULT=f"kill:{step}:{count}")
    worker.start()
    assert worker.wait(60.0) == -signal.SIGKILL, f"not killed at {step}\n{worker.log}"
    assert run.left_of(run.feeder.positions()) > 0, f"nothing was left to do at {step}"


def test_kill_between_every_two_steps(mastery_run) -> None:
    """One worker with one state folder, which twice is gone before the restart, and then in the restore."""
    rng = random.Random(f"{SEED} steps")
    run = mastery_run(seed=SEED + 32)
    steps = list(STEPS) if ROUNDS == 1 else list(LONG_STEPS) * ROUNDS
    rng.shuffle(steps)
    for number, (step, most) in enumerate(steps):
        if number % 8 == 4:
            run.school.redefine(number)
        _kill_at(run, step, rng.randint(1, most))
    for number, (step, most) in enumerate(RESTORE_STEPS * ROUNDS):
        # Without its rows alone, and without anything: then it is another worker.
        gone = run.state_folder("worker") / ("mastery" if number % 2 == 0 else "")
        shutil.rmtree(gone)
        _kill_at(run, step, rng.randint(1, most))
    run.worker("worker").start()
    run.finish()


def test_kill_at_random_points(mastery_run) -> None:
    """Every other kill hits a worker that is still starting or taking over. Here proficiencies count."""
    rng = random.Random(f"{SEED} points")
    run = mastery_run(seed=SEED + 33, scales=True)
    worker = run.worker("worker")
    worker.start()
    wanted, kills, tries = 5 * ROUNDS, 0, 0
    while kills < wanted:
        if tries % 2:
            time.sleep(rng.uniform(1.0, 4.0))
        else:
            worker.wait_ready()
            time.sleep(rng.uniform(0.05, 1.0))
        fed = run.feeder.positions()
        worker.kill()
        # A kill while nothing was left to do would prove nothing.
        kills += run.left_of(fed) > 0
        tries += 1
        assert tries < 2 * wanted, f"only {kills} of {tries} kills hit a worker that had work left"
        if tries % 4 == 2:
            run.school.redefine(tries)
        worker.start()
    run.finish()

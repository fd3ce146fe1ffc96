"""kill -9 while rows are computed: at any moment, between any two steps, and with the state folder gone."""

import shutil
import signal
import time

from tests.chaos.killing import kill_at_random_points
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import FAULTY_WORKER
from tests.chaos.scenario import FULL, rounds, scenario, times

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
#: Those that lose most when the file and the commit do not agree, for CI.
SHARP_STEPS = (("end+rows", 8), ("write", 20), ("note_in_file", 40))
#: Reached by a worker without state alone.
RESTORE_STEPS = (("append", 3), ("finish_restore", 3))


def _kill_at(run: MasteryRun, step: str, count: int) -> None:
    fault = f"kill:{step}:{count}"
    worker = run.worker("worker", module=FAULTY_WORKER, FAULT=fault)
    with run.fault(fault, left="now"):
        worker.start()
        assert worker.wait(60.0) == -signal.SIGKILL, f"not killed at {step}\n{worker.log}"


@scenario("mastery-kill-between-steps", ci=True, seconds=360)
def test_kill_between_every_two_steps(mastery_run) -> None:
    """A worker with state kills itself (-9) before each step of its life, in random order.

    Take-over, restore, definitions, recomputation, checkpoint, commit, the file's own transaction. Between
    them definitions change. Every row is the oracle's: published, in changelog and state file, and restored.
    """
    for seed, rng in rounds("mastery-kill-between-steps"):
        run = mastery_run(seed=seed)
        steps = list(LONG_STEPS if FULL else SHARP_STEPS)
        rng.shuffle(steps)
        for number, (step, most) in enumerate(steps):
            if number % 8 == 4:
                run.school.redefine(number)
            _kill_at(run, step, rng.randint(1, most))
        run.worker("worker").start()
        run.finish()


@scenario("kill-in-restore", seconds=240)
def test_kill_in_a_restore(mastery_run) -> None:
    """The state is deleted, and the worker killed (-9) in the restore from the changelog: four times.

    In turn its rows alone are deleted, and its whole folder: then it is another worker. Every row is the
    oracle's.
    """
    for seed, rng in rounds("kill-in-restore"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(300)
        worker.kill()
        for number, (step, most) in enumerate(RESTORE_STEPS * times(2, ci=1)):
            shutil.rmtree(run.state_folder("worker") / ("mastery" if number % 2 == 0 else ""))
            _kill_at(run, step, rng.randint(1, most))
        run.worker("worker").start()
        run.finish()


@scenario("kill-state-deleted", ci=True, seconds=300)
def test_kill_and_delete_the_state(mastery_run) -> None:
    """A worker is killed (-9) at random points under load and its state folder deleted: 8 times.

    The next one restores from the changelog; every row is the oracle's, in the new state too.
    """
    for seed, rng in rounds("kill-state-deleted"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        for number in range(times(8, ci=2)):
            worker.wait_ready(60.0)
            run.wait_for_rows(50)
            time.sleep(rng.uniform(0.05, 1.0))
            with run.fault(f"kill {number}, state deleted", left="now"):
                worker.kill()
            shutil.rmtree(run.state_folder("worker"))
            worker.start()
        worker.wait_ready(60.0)
        run.finish()


@scenario("mastery-kill-random", seconds=300)
def test_kill_at_random_points(mastery_run) -> None:
    """A worker that computes rows is killed (-9) at 10 random points; scales count, definitions change.

    Every other kill hits one that is still starting or taking over. Every row is the oracle's.
    """
    for seed, rng in rounds("mastery-kill-random"):
        run = mastery_run(seed=seed, account_level_scales=True)
        worker = run.worker("worker")
        worker.start()
        kill_at_random_points(
            run,
            worker,
            rng,
            wanted=times(10, ci=4),
            after=lambda tries, run=run: run.school.redefine(tries) if tries % 4 == 2 else None,
        )
        run.finish()

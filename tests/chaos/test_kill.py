"""kill -9, at any moment and between any two steps of a checkpoint."""

import signal

from tests.chaos.killing import kill_at_random_points
from tests.chaos.run import FAULTY_WORKER
from tests.chaos.scenario import rounds, scenario, times

STEPS = ("begin", "produce", "flush", "send_offsets", "end", "done")


@scenario("kill-random", ci=True, seconds=300)
def test_kill_at_random_points(fault_run) -> None:
    """A worker is killed (-9) at 20 random moments under load and started again with the same state.

    Every other kill hits one that is still starting or taking over its partitions. Every event is found
    exactly once, in its typed topic or the dead letters, in the order of its raw partition.
    """
    for seed, rng in rounds("kill-random"):
        run = fault_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        kill_at_random_points(run, worker, rng, wanted=times(20, ci=5))
        run.finish()


@scenario("kill-between-steps", seconds=180)
def test_kill_between_every_two_steps_of_a_checkpoint(fault_run) -> None:
    """A worker kills itself (-9) before each step of a checkpoint: begin, produce, flush, send offsets, end.

    And right after the end. The next one takes over; every event is found exactly once.
    """
    for seed, rng in rounds("kill-between-steps"):
        run = fault_run(seed=seed)
        for step in STEPS:
            fault = f"kill:{step}:{rng.randint(1, 9)}"
            worker = run.worker(f"killed-{step}", module=FAULTY_WORKER, FAULT=fault)
            with run.fault(fault, left="now"):
                worker.start()
                assert worker.wait(30.0) == -signal.SIGKILL, worker.log
        run.worker("last").start()
        run.finish()

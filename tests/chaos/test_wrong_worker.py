"""The whole test bed against workers that are wrong: it must find them out."""

import time

import pytest

from tests.chaos.run import FaultRun
from tests.chaos.scenario import rounds, scenario

WRONG_WORKER = ("tests.chaos.wrong_worker",)


def _found_out(run: FaultRun, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        run.finish()
    assert "found at: " in run.first_wrong
    wrong = run.record.figures["wrong"]
    # They are no losses of the project's.
    run.record.figures.clear()
    run.measure(found_out=wrong)


@scenario("wrong-worker", seconds=300)
def test_workers_that_break_a_promise_are_found_out(fault_run) -> None:
    """Not a fault but a test of the judges: workers that commit in two transactions instead of one.

    One commits its offsets before what it wrote: that is found though nothing ever fails and all is there in
    the end. One commits them after it: it is found as soon as a kill (-9) hits between the two.
    """
    for seed, rng in rounds("wrong-worker"):
        run = fault_run(seed=seed, part="commits-first", rate=500)
        run.worker("worker", module=WRONG_WORKER, WRONG="commits-first").start()
        run.wait_for_progress(2_000)
        _found_out(run, "committed before it was written")

        run = fault_run(seed=seed, part="commits-late", rate=500)
        worker = run.worker("worker", module=WRONG_WORKER, WRONG="commits-late")
        for number in range(4):
            worker.start()
            run.wait_for_progress(500)
            time.sleep(rng.random())
            with run.fault(f"kill {number}", left="maybe"):
                worker.kill()
        run.worker("right").start()
        _found_out(run, "more than once")

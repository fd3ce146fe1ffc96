"""Workers come and go."""

import random
import time

import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


def test_rebalances_every_few_seconds(fault_run) -> None:
    """One worker stays; others come, and go by SIGTERM or kill -9."""
    rng = random.Random(22)
    run = fault_run(seed=7)
    steady = run.worker("steady")
    guests = [run.worker("guest-1"), run.worker("guest-2")]
    run.manage(steady)
    steady.start()
    steady.wait_ready()
    for round_ in range(10):
        guest = guests[round_ % 2]
        if not guest.running:
            guest.start()
        elif rng.random() < 0.3:
            guest.kill()
        else:
            guest.terminate()
            assert guest.wait(30.0) == 0, guest.log
        time.sleep(2.5)
    run.finish()


def test_sigterm_under_load_ends_with_status_0_in_time(fault_run) -> None:
    run = fault_run(seed=8)
    worker = run.worker("worker")
    for _ in range(3):
        worker.start()
        worker.wait_ready()
        run.wait_for_progress(1_000)
        fed = run.feeder.positions()
        worker.terminate()
        assert worker.wait(30.0) == 0, worker.log
        assert run.left_of(run.feeder.positions()) > 0, fed
    worker.start()
    run.finish()

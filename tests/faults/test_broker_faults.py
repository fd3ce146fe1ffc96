"""The broker hangs, restarts and is killed while a worker is busy."""

import time

import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

FREEZE = 7.0


def test_broker_frozen_restarted_and_killed(fault_run, record_property) -> None:
    run = fault_run(seed=6)
    worker = run.worker("worker")
    run.manage(worker)
    worker.start()
    worker.wait_ready()
    run.wait_for_progress(1_000)
    run.kafka.freeze()
    time.sleep(FREEZE)
    run.kafka.thaw()
    run.kafka.wait_ready()
    run.wait_for_progress(3_000, timeout=60.0)
    run.kafka.restart()
    run.wait_for_progress(3_000, timeout=60.0)
    run.kafka.kill()
    run.kafka.start()
    run.wait_for_progress(3_000, timeout=60.0)
    run.finish()
    # Ending and being started again is a right answer to a broker that is away, but not a habit.
    record_property("worker ended by itself", len(run.own_exits))
    assert len(run.own_exits) <= 6, run.own_exits

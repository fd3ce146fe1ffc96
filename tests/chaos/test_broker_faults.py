"""The broker hangs, restarts and is killed while a worker is busy."""

import time
from collections.abc import Callable

import pytest

from tests.kafka.server import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def _freeze(kafka: KafkaServer) -> None:
    """Beyond the session time-out, below the transaction's."""
    kafka.freeze()
    time.sleep(7.0)
    kafka.thaw()
    kafka.wait_ready()


def _freeze_long(kafka: KafkaServer) -> None:
    """Beyond every time-out of the worker's."""
    kafka.freeze()
    time.sleep(20.0)
    kafka.thaw()
    kafka.wait_ready()


def _restart(kafka: KafkaServer) -> None:
    kafka.restart()


def _kill(kafka: KafkaServer) -> None:
    kafka.kill()
    kafka.start()


@pytest.mark.parametrize("fault", [_freeze, _freeze_long, _restart, _kill])
def test_worker_goes_on_after(fault_run, record_property, fault: Callable[[KafkaServer], None]) -> None:
    run = fault_run(seed=6)
    worker = run.worker("worker")
    run.manage(worker)
    worker.start()
    worker.wait_ready()
    run.wait_for_progress(2_000)
    fault(run.kafka)
    run.wait_for_progress(3_000, timeout=45.0)
    run.finish()
    # To end and be started again is a right answer to a broker that is away, but not a habit.
    record_property("worker ended by itself", len(run.own_exits))
    assert len(run.own_exits) <= 2, run.own_exits


@pytest.mark.parametrize(
    ("away", "back"),
    [(KafkaServer.freeze, KafkaServer.thaw), (KafkaServer.kill, KafkaServer.start)],
    ids=["hangs", "is away"],
)
def test_sigterm_ends_an_idle_worker_while_the_broker(
    fault_run, away: Callable[[KafkaServer], None], back: Callable[[KafkaServer], None]
) -> None:
    run = fault_run(seed=7)
    worker = run.worker("worker")
    worker.start()
    worker.wait_ready()
    run.wait_for_progress(1_000)
    run.finish()
    away(run.kafka)
    try:
        worker.terminate()
        assert worker.wait(30.0) == 0
    finally:
        back(run.kafka)
        run.kafka.wait_ready()

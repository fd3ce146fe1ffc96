"""A worker that hangs (SIGSTOP) until it is given up, and then goes on as if nothing had happened."""

import time

import pytest

from tests.chaos.run import FAULTY_WORKER, FaultRun
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

#: Seconds until the broker aborts an open transaction, whose offsets hold up a new owner.
TRANSACTION_TIMEOUT = 10.0


def _wait_for_every_partition(run: FaultRun, timeout: float) -> None:
    """Wait until somebody commits in every partition."""
    before = run.committed()
    partitions = range(run.settings.partitions)
    wait_until(
        lambda: all(run.committed().get(p, 0) > before.get(p, 0) for p in partitions),
        timeout=timeout,
        what="commits in every partition",
        detail=run.logs,
    )


def test_frozen_under_load_beyond_the_session_timeout(fault_run) -> None:
    run = fault_run(seed=3)
    frozen, other = run.worker("frozen"), run.worker("other")
    run.manage(frozen, other)
    frozen.start()
    other.start()
    frozen.wait_ready()
    other.wait_ready()
    for pause in (4.0, 12.0):  # given up, but its transaction still open; and aborted, too
        _wait_for_every_partition(run, timeout=20.0)
        fed = run.feeder.positions()
        frozen.freeze()
        assert run.left_of(fed) > 0
        frozen_at = time.monotonic()
        _wait_for_every_partition(run, timeout=20.0)  # the other has taken over
        time.sleep(max(0.0, pause - (time.monotonic() - frozen_at)))
        frozen.thaw()
        time.sleep(3.0)
    run.finish()


@pytest.mark.parametrize("step", ["begin", "produce", "flush", "send_offsets", "end", "done"])
def test_frozen_between_two_steps_of_a_checkpoint(fault_run, step: str) -> None:
    run = fault_run(seed=4)
    zombie = run.worker("zombie", module=FAULTY_WORKER, FAULT=f"stop:{step}:5")
    zombie.start()
    wait_until(lambda: zombie.frozen, timeout=30.0, what="the worker to stop itself", detail=run.logs)
    assert run.left_of(run.feeder.positions()) > 0
    successor = run.worker("successor")
    successor.start()
    # Offsets pending in the zombie's transaction hold the successor up until the broker aborts it.
    _wait_for_every_partition(run, timeout=20.0 + TRANSACTION_TIMEOUT)
    zombie.thaw()
    time.sleep(3.0)
    run.finish()


def test_thawed_while_its_successor_waits_for_its_pending_offsets(fault_run) -> None:
    run = fault_run(seed=5)
    zombie = run.worker("zombie", module=FAULTY_WORKER, FAULT="stop:end:5")
    zombie.start()
    wait_until(lambda: zombie.frozen, timeout=30.0, what="the worker to stop itself", detail=run.logs)
    stopped_at = time.monotonic()
    successor = run.worker("successor")
    successor.start()
    time.sleep(TRANSACTION_TIMEOUT - 4.0 - (time.monotonic() - stopped_at))
    zombie.thaw()
    run.finish()

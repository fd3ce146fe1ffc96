"""A worker that hangs (SIGSTOP) until it is given up, and then goes on as if nothing had happened."""

import time

from tests.chaos.run import FAULTY_WORKER, FaultRun
from tests.chaos.scenario import rounds, scenario
from tests.support.waiting import wait_until

#: Seconds until the broker aborts an open transaction, whose offsets hold up a new owner.
TRANSACTION_TIMEOUT = 10.0
STEPS = ("begin", "produce", "flush", "send_offsets", "end", "done")


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


@scenario("hang", seconds=150)
def test_frozen_under_load_beyond_the_session_timeout(fault_run) -> None:
    """Of two workers one hangs (SIGSTOP) for twice the session time-out, and for longer than a transaction.

    The other takes over in both cases. Woken up, the first writes nothing that counts: every event is found
    exactly once.
    """
    for seed, _ in rounds("hang"):
        run = fault_run(seed=seed)
        frozen, other = run.worker("frozen"), run.worker("other")
        run.manage(frozen, other)
        frozen.start()
        other.start()
        frozen.wait_ready()
        other.wait_ready()
        for pause in (4.0, 12.0):  # given up, but its transaction still open; and aborted, too
            _wait_for_every_partition(run, timeout=20.0)
            with run.fault(f"hang for {pause:g} s"):
                frozen.freeze()
            frozen_at = time.monotonic()
            _wait_for_every_partition(run, timeout=20.0)  # the other has taken over
            time.sleep(max(0.0, pause - (time.monotonic() - frozen_at)))
            frozen.thaw()
            time.sleep(3.0)
        run.finish()


def _zombie(run: FaultRun, step: str) -> None:
    zombie = run.worker("zombie", module=FAULTY_WORKER, FAULT=f"stop:{step}:5")
    with run.fault(f"stop before {step}", left="now"):
        zombie.start()
        wait_until(lambda: zombie.frozen, timeout=30.0, what="the worker to stop itself", detail=run.logs)
    successor = run.worker("successor")
    successor.start()
    # Offsets pending in the zombie's transaction hold the successor up until the broker aborts it.
    _wait_for_every_partition(run, timeout=20.0 + TRANSACTION_TIMEOUT)
    zombie.thaw()
    time.sleep(3.0)
    run.finish()


@scenario("zombie-between-steps", seconds=360)
def test_frozen_between_two_steps_of_a_checkpoint(fault_run) -> None:
    """A worker hangs before a step of a checkpoint, or after the last, until another has its partitions.

    Then it wakes up and goes on amid its checkpoint. Every event is found exactly once. A round takes three
    of the six moments, a run each.
    """
    for seed, rng in rounds("zombie-between-steps"):
        for step in rng.sample(STEPS, 3):
            _zombie(fault_run(seed=seed, part=step), step)


@scenario("zombie", ci=True, seconds=120)
def test_frozen_before_the_commit(fault_run) -> None:
    """The sharpest of these moments: all is written, the offsets are sent, the commit is not."""
    for seed, _ in rounds("zombie"):
        _zombie(fault_run(seed=seed), "end")


@scenario("zombie-pending-offsets", seconds=120)
def test_thawed_while_its_successor_waits_for_its_pending_offsets(fault_run) -> None:
    """A worker hangs before its commit; its successor waits for the offsets that are pending.

    It wakes up before the broker has aborted its transaction, while the other waits. Every event is found
    exactly once.
    """
    for seed, _ in rounds("zombie-pending-offsets"):
        run = fault_run(seed=seed)
        zombie = run.worker("zombie", module=FAULTY_WORKER, FAULT="stop:end:5")
        with run.fault("stop before end", left="now"):
            zombie.start()
            wait_until(lambda z=zombie: z.frozen, timeout=30.0, what="a stop before end", detail=run.logs)
        stopped_at = time.monotonic()
        successor = run.worker("successor")
        successor.start()
        time.sleep(TRANSACTION_TIMEOUT - 4.0 - (time.monotonic() - stopped_at))
        zombie.thaw()
        run.finish()

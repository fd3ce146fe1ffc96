"""The broker is away for longer than every time-out of a worker's."""

import time
from collections.abc import Iterable

from tests.chaos.scenario import rounds, scenario
from tests.support.worker import WorkerProcess

#: Seconds. Longer than a transaction's time-out, a checkpoint's patience and a start-up's together.
OUTAGE = 70.0

#: MiB that a worker may grow while the broker is away: it reads nothing, and holds a checkpoint's batches.
GROWTH = 64.0


def _watch(workers: Iterable[WorkerProcess], seconds: float) -> float:
    """Return the most memory in MiB that one of the workers had within so many seconds."""
    until, peak = time.monotonic() + seconds, 0.0
    while time.monotonic() < until:
        peak = max(peak, *(worker.memory for worker in workers))
        time.sleep(0.5)
    return peak


@scenario("broker-outage", seconds=240)
def test_broker_is_away_for_70_s_under_load(fault_run) -> None:
    """The broker is killed (-9) under the load of two workers and comes back after 70 s.

    The workers give up the checkpoint that cannot end, exit 1, and are started again by a process manager:
    seldom, as each start waits for the broker. Their memory does not grow. Work goes on by itself; every
    event is found exactly once.
    """
    for seed, _ in rounds("broker-outage"):
        run = fault_run(seed=seed, rate=1_500)
        workers = run.start_managed("one", "two")
        run.wait_for_progress(3_000, timeout=90.0)
        before = _watch(workers, 2.0)
        with run.fault("the broker is away for 70 s", left="before"):
            run.kafka.kill()
            peak = _watch(workers, OUTAGE)
            exits = len(run.own_exits)
            run.kafka.start()
        run.measure(memory_before=round(before), memory_peak=round(peak), exits_while_away=exits)
        assert peak < before + GROWTH, f"{peak:.0f} MiB while the broker is away, {before:.0f} before"
        # Some 15 s until a checkpoint is given up, then 30 s that each start waits.
        assert exits <= 3 * len(workers), f"a crash loop: {run.own_exits}"
        run.wait_for_progress(5_000, timeout=90.0)
        run.finish(timeout=120.0)


@scenario("broker-outage-restart", seconds=240)
def test_all_workers_are_killed_and_started_while_the_broker_is_away(mastery_run) -> None:
    """The broker is killed (-9), then all workers are (-9), and started again while it is still away.

    They wait, not ready, without ending. When it is back each takes its share; every row is the oracle's.
    """
    for seed, _ in rounds("broker-outage-restart"):
        run = mastery_run(seed=seed, rate=300)
        workers = run.start_managed("one", "two")
        run.wait_for_progress(1_000, timeout=90.0)
        with run.fault("the broker is away, all workers are killed and started", left="before"):
            run.kafka.kill()
            time.sleep(3.0)
            for worker in workers:
                run.release(worker)
                worker.kill()
            own_exits = len(run.own_exits)
            run.manage(*workers)
            for worker in workers:
                worker.start()
            _watch(workers, 20.0)
            assert not any(worker.ready for worker in workers)
            assert len(run.own_exits) == own_exits, f"a start does not wait: {run.logs()}"
            run.kafka.start()
        for worker in workers:
            worker.wait_ready(90.0)
        run.wait_for_progress(1_000, timeout=90.0)
        run.finish(timeout=120.0)

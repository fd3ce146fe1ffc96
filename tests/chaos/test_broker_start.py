"""Workers that start before what they need is there."""

import re
import time

from tests.chaos.scenario import rounds, scenario
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess


def require_waiting(worker: WorkerProcess, *, why: str) -> None:
    """Fail unless it waits: running, not ready, with `why` and longer and longer pauses told."""

    def pauses() -> list[float]:
        assert worker.running, f"it did not wait\n{worker.log}"
        assert not worker.ready
        tries = re.findall(rf"{why}.*; next try in ([\d.]+) s, [\d.]+ s left", worker.log)
        return [float(pause) for pause in tries]

    wait_until(
        lambda: len(pauses()) >= 4, timeout=40.0, what="four tries", detail=lambda: worker.log, interval=0.25
    )
    assert pauses() == sorted(pauses()), worker.log
    assert pauses()[3] >= 8 * pauses()[0], worker.log


@scenario("start-without-broker", ci=True, seconds=180)
def test_worker_starts_before_the_broker(fault_run) -> None:
    """A worker starts while the broker is away: it runs, not ready, says why, tries again ever more seldom.

    SIGTERM ends another one that waits, status 0. When the broker is there work begins without a restart.
    """
    for seed, _ in rounds("start-without-broker"):
        run = fault_run(seed=seed, rate=1_000)
        worker, unwanted = run.worker("worker"), run.worker("unwanted")
        time.sleep(2.0)
        with run.fault("the worker starts while the broker is away", left="before"):
            run.kafka.kill()
            worker.start()
            unwanted.start()
            require_waiting(worker, why="no Kafka broker answers at")
            unwanted.terminate()
            assert unwanted.wait(5.0) == 0
            run.kafka.start()
        worker.wait_ready(90.0)
        run.finish(timeout=120.0)
        assert worker.running, worker.log

"""Workers that start before what they need is there."""

import re
import time

from tests.chaos.scenario import rounds, scenario
from tests.support.worker import WorkerProcess

#: Seconds that broker or registry stay away while a worker waits for them.
AWAY = 8.0


def require_waiting(worker: WorkerProcess, seconds: float, *, why: str) -> None:
    """Fail unless it waits all the time: running, not ready, with `why` and longer and longer pauses told."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert worker.running, f"it did not wait\n{worker.log}"
        assert not worker.ready
        time.sleep(0.25)
    tries = re.findall(rf"{why}.*; next try in ([\d.]+) s, [\d.]+ s left", worker.log)
    pauses = [float(pause) for pause in tries]
    assert len(pauses) >= 3, worker.log
    assert pauses == sorted(pauses), worker.log
    assert pauses[-1] >= 8 * pauses[0], worker.log


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
            require_waiting(worker, AWAY, why="no Kafka broker answers at")
            unwanted.terminate()
            assert unwanted.wait(5.0) == 0
            run.kafka.start()
        worker.wait_ready(40.0)
        run.finish()
        assert worker.running, worker.log

"""Kills at random points, for the fan-out and for mastery."""

import random
import time
from collections.abc import Callable

from tests.chaos.run import FaultRun
from tests.chaos.watched_worker import WatchedWorker

__all__ = ["kill_at_random_points"]


def kill_at_random_points(
    run: FaultRun,
    worker: WatchedWorker,
    rng: random.Random,
    *,
    wanted: int,
    after: Callable[[int], None] = lambda _: None,
) -> None:
    """Kill (-9) and start a worker until so many kills hit one that had work left.

    Every other kill hits one that is still starting or taking over. `after` is called with the number of
    tries, while the worker is down.
    """
    kills = tries = 0
    while kills < wanted:
        if tries % 2:
            time.sleep(rng.uniform(1.0, 4.0))
        else:
            worker.wait_ready()
            time.sleep(rng.uniform(0.05, 1.0))
        with run.fault(f"kill {tries}", left="maybe") as fault:
            worker.kill()
        # A kill while nothing was left to do would prove nothing.
        kills += fault.left > 0
        tries += 1
        assert tries < 2 * wanted, f"only {kills} of {tries} kills hit a worker that had work left"
        after(tries)
        worker.start()

"""`mastery worker` whose clock is wrong: SKEW=SECONDS, by which it is ahead; behind where that is negative.

libfaketime would reach C libraries, too, but librdkafka hangs under it: its waits end never, or at once.
What the worker writes and compares has its times from Python.
Run as `python -m tests.chaos.skewed_worker`.
"""

import os
import time


def skew(seconds: float) -> None:
    """Put Python's wall clock off by so much. To be called before anything takes hold of it."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)


if __name__ == "__main__":
    skew(float(os.environ.pop("SKEW")))
    from app.cli import main

    main(["worker"])

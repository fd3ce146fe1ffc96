"""kill -9 of `mastery state rebuild`: the same command goes on, and the rows are the oracle's in the end."""

import signal
import time

import pytest

from tests.chaos.conftest import ROUNDS, SEED

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240 * ROUNDS)]

#: A kill amid a transaction costs the next run 10 s: it waits until the broker aborts that.
STEPS = ("end:3",)
LONG_STEPS = ("init:1", "begin:1", "flush:1", "send_offsets:1", "end:1", "done:1", "begin:4", "end:6")
#: With account-level scales most rows are others, so that there is something to write.
OTHER_SETTING = {"MASTERY_ACCOUNT_LEVEL_SCALES": "true"}


def _rebuild(run, *arguments: str, **variables: str) -> int:
    """Run it to its end. One that was killed is in the group until its session times out."""
    command = ("tests.chaos.faulty_rebuild", *arguments)
    rebuild = run.worker("rebuild", module=command, **variables)
    until = time.monotonic() + 20.0
    while True:
        rebuild.log_file.unlink(missing_ok=True)
        rebuild.start()
        status = rebuild.wait(40.0)
        if "in the group" not in rebuild.log or time.monotonic() > until:
            break
        time.sleep(0.2)
    assert status in {0, -signal.SIGKILL}, rebuild.log
    return status


def test_killed_and_run_again(mastery_run) -> None:
    """At every moment workers could go on; here they do at the end."""
    run = mastery_run(seed=SEED + 37)
    worker = run.worker("worker")
    worker.start()
    run.wait_for_rows(300)
    worker.terminate()
    assert worker.wait(30.0) == 0, worker.log
    run.feeder.stop()
    killed = -signal.SIGKILL
    more = LONG_STEPS if ROUNDS > 1 else ()
    for step in more:
        assert _rebuild(run, "--from-changelog", FAULT=f"kill:{step}", **OTHER_SETTING) == killed, step
    assert not more or _rebuild(run, "--from-changelog") == 0
    for step in (*STEPS, *more):
        assert _rebuild(run, FAULT=f"kill:{step}") == killed, step
    assert _rebuild(run) == 0
    worker.start()
    run.finish(rebuilt=True)

"""kill -9 of `mastery state rebuild`: the same command goes on, and the rows are the oracle's in the end."""

import signal
import time

from tests.chaos.scenario import FULL, rounds, scenario

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


def _killed(run, step: str, *arguments: str, **variables: str) -> None:
    assert _rebuild(run, *arguments, FAULT=f"kill:{step}", **variables) == -signal.SIGKILL, step
    run.record.count(faults=1)


@scenario("kill-in-rebuild", ci=True, seconds=300)
def test_killed_and_run_again(mastery_run) -> None:
    """`mastery state rebuild` is killed (-9) at steps of its transactions, from changelog and from results.

    At every moment workers could go on. The same command goes on where it was; every row is the oracle's. A
    round takes four of eight steps from either.
    """
    for seed, rng in rounds("kill-in-rebuild"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(300)
        worker.terminate()
        assert worker.wait(30.0) == 0, worker.log
        run.feeder.stop()
        more = rng.sample(LONG_STEPS, 4) if FULL else []
        for step in more:
            _killed(run, step, "--from-changelog", **OTHER_SETTING)
        assert not more or _rebuild(run, "--from-changelog") == 0
        for step in (*STEPS, *more):
            _killed(run, step)
        assert _rebuild(run) == 0
        worker.start()
        run.finish(rebuilt=True)

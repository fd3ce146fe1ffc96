"""The broker hangs, restarts and is killed while a worker is busy."""

import time
from collections.abc import Callable

from tests.chaos.run import FaultRun
from tests.chaos.scenario import rounds, scenario


def _freeze(run: FaultRun, seconds: float) -> None:
    run.kafka.freeze()
    time.sleep(seconds)
    run.kafka.thaw()
    run.kafka.wait_ready()


def _goes_on_after(run: FaultRun, text: str, fault: Callable[[], None]) -> None:
    worker = run.worker("worker")
    run.manage(worker)
    worker.start()
    worker.wait_ready()
    run.wait_for_progress(2_000)
    with run.fault(text, left="before"):
        fault()
    run.wait_for_progress(3_000, timeout=45.0)
    run.finish()
    # To end and be started again is a right answer to a broker that is away, but not a habit.
    assert len(run.own_exits) <= 2, run.own_exits


@scenario("broker-freeze", seconds=240)
def test_worker_goes_on_after_a_freeze(fault_run) -> None:
    """The broker hangs (SIGSTOP) for 7 s, beyond the session time-out, and for 20 s, beyond every time-out.

    The worker goes on, or ends and is started again, at most twice. Every event is found exactly once.
    """
    for seed, _ in rounds("broker-freeze"):
        for pause in (7.0, 20.0):
            run = fault_run(seed=seed, part=f"{pause:g}-s")
            _goes_on_after(run, f"broker hangs for {pause:g} s", lambda r=run, p=pause: _freeze(r, p))


@scenario("broker-restart", seconds=120)
def test_worker_goes_on_after_a_restart(fault_run) -> None:
    """The broker is shut down in order and started again; the same must hold as after a freeze."""
    for seed, _ in rounds("broker-restart"):
        run = fault_run(seed=seed)

        def restart(run: FaultRun = run) -> None:
            run.kafka.stop()
            run.kafka.start()

        _goes_on_after(run, "broker restarts", restart)


@scenario("broker-kill", ci=True, seconds=120)
def test_worker_goes_on_after_a_kill(fault_run) -> None:
    """The broker is killed (-9) and started again with its data; the same must hold as after a freeze."""
    for seed, _ in rounds("broker-kill"):
        run = fault_run(seed=seed)

        def kill(run: FaultRun = run) -> None:
            run.kafka.kill()
            run.kafka.start()

        _goes_on_after(run, "kill -9 broker", kill)


@scenario("sigterm-without-broker", seconds=180)
def test_sigterm_ends_an_idle_worker_while_the_broker_is_away(fault_run) -> None:
    """An idle worker gets SIGTERM while the broker hangs, and another while the broker is dead.

    Both end with status 0 within 30 s.
    """
    for seed, _ in rounds("sigterm-without-broker"):
        for part in ("hangs", "dead"):
            run = fault_run(seed=seed, part=part)
            worker = run.worker("worker")
            worker.start()
            worker.wait_ready()
            run.wait_for_progress(1_000)
            run.finish()
            run.note(f"broker: {part}")
            (run.kafka.freeze if part == "hangs" else run.kafka.kill)()
            try:
                before = time.monotonic()
                worker.terminate()
                assert worker.wait(30.0) == 0
                run.record.append(seconds_to_end=time.monotonic() - before)
            finally:
                (run.kafka.thaw if part == "hangs" else run.kafka.start)()
                run.kafka.wait_ready()

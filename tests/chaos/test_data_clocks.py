"""Workers whose clocks are wrong."""

from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import WatchedWorker
from tests.chaos.scenario import rounds, scenario
from tests.support.waiting import wait_until

_DAY = 86_400.0
#: A worker gives its own time to typed records of what is the future to it: the raw ones are an hour old.
_AHEAD, _BEHIND, _YEAR_AHEAD = 1_200.0, -3_000.0, 400 * _DAY


def _at(run: MasteryRun, name: str, seconds: float) -> WatchedWorker:
    """A worker whose clock is off by so much; time passes as ever."""
    return run.worker(name, module=("tests.chaos.skewed_worker",), SKEW=str(seconds))


@scenario("clock-skew", seconds=360)
def test_wrong_clocks(mastery_run) -> None:
    """Two workers share the work, one 20 minutes ahead, one 50 minutes behind; then they change clocks.

    Half way one is killed (-9), and takes up its files with a clock that is behind them. Every row is the
    oracle's, every event is typed once, with the time of its raw record.
    """
    for seed, _ in rounds("clock-skew"):
        run = mastery_run(seed=seed, rate=300)
        ahead = _at(run, "first", _AHEAD)
        behind = _at(run, "second", _BEHIND)
        for worker in (ahead, behind):
            worker.start()
            worker.wait_ready(90.0)
        run.wait_for_rows(200, timeout=90.0)
        run.school.redefine(1)
        with run.fault("kill -9 of the one that is ahead", left="now"):
            ahead.kill()
        first = _at(run, "first", _BEHIND)
        first.start()
        first.wait_ready(90.0)
        run.wait_for_rows(100, timeout=90.0)
        behind.terminate()
        assert behind.wait(60.0) == 0, behind.log
        second = _at(run, "second", _AHEAD)
        second.start()
        second.wait_ready(90.0)
        run.wait_for_rows(100, timeout=90.0)
        run.finish(timeout=120.0)


@scenario("clock-years-ahead", seconds=240)
def test_a_clock_a_year_ahead(mastery_run) -> None:
    """A worker's clock is 400 days ahead: Kafka takes no records of the future (an hour at most, by default).

    It says so and ends, having committed nothing of what it could not write. One with the right clock takes
    its files over: every row is the oracle's, every event typed once.
    """
    for seed, _ in rounds("clock-years-ahead"):
        run = mastery_run(seed=seed, rate=300)
        wrong = _at(run, "worker", _YEAR_AHEAD)
        wrong.start()
        wait_until(
            lambda w=wrong: not w.running, timeout=90.0, what="it to end", detail=lambda w=wrong: w.log
        )
        run.note(wrong.log.splitlines()[-2])
        assert wrong.wait() == 1, wrong.log
        assert "Traceback" not in wrong.log
        assert "clock" in wrong.log, wrong.log
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(200, timeout=90.0)
        run.finish(timeout=120.0)

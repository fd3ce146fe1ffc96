"""Workers whose clocks are wrong, made so by libfaketime."""

import subprocess
from pathlib import Path

import pytest

from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import WatchedWorker
from tests.chaos.scenario import rounds, scenario
from tests.support.brokers import cannot_run
from tests.support.waiting import wait_until

_NAME = "libfaketimeMT.so.1"


@pytest.fixture(scope="session")
def faketime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that fakes clocks: the system's, else Debian's package, unpacked."""
    for found in Path("/usr/lib").glob(f"*/faketime/{_NAME}"):
        return found
    folder = tmp_path_factory.mktemp("faketime")
    script = "apt-get download libfaketime && dpkg-deb -x libfaketime_*.deb ."
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        cannot_run("no libfaketime: install Debian's package of that name")
    return next(folder.glob(f"usr/lib/*/faketime/{_NAME}"))


def _at(run: MasteryRun, library: Path, name: str, offset: str) -> WatchedWorker:
    """A worker whose clock is off by so much; time passes as ever."""
    return run.worker(name, LD_PRELOAD=str(library), FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1")


@scenario("clock-skew", seconds=360)
def test_wrong_clocks(mastery_run, faketime: Path) -> None:
    """Two workers share the work, one 20 minutes ahead, the other 3 days behind; then they change clocks.

    Half way one is killed (-9), and takes up its files with a clock that is behind them. Every row is the
    oracle's, every event is typed once, with the time of its raw record.
    """
    for seed, _ in rounds("clock-skew"):
        run = mastery_run(seed=seed, rate=300)
        ahead = _at(run, faketime, "first", "+20m")
        behind = _at(run, faketime, "second", "-3d")
        for worker in (ahead, behind):
            worker.start()
            worker.wait_ready(90.0)
        run.wait_for_rows(200, timeout=90.0)
        run.school.redefine(1)
        with run.fault("kill -9 of the one that is ahead"):
            ahead.kill()
        first = _at(run, faketime, "first", "-3d")
        first.start()
        first.wait_ready(90.0)
        run.wait_for_rows(100, timeout=90.0)
        behind.terminate()
        assert behind.wait(60.0) == 0, behind.log
        second = _at(run, faketime, "second", "+20m")
        second.start()
        second.wait_ready(90.0)
        run.wait_for_rows(100, timeout=90.0)
        run.finish(timeout=120.0)


@scenario("clock-years-ahead", seconds=240)
def test_a_clock_a_year_ahead(mastery_run, faketime: Path) -> None:
    """A worker's clock is 400 days ahead: Kafka takes no records of the future (an hour at most, by default).

    It says so and ends, having committed nothing of what it could not write. One with the right clock takes
    its files over: every row is the oracle's, every event typed once.
    """
    for seed, _ in rounds("clock-years-ahead"):
        run = mastery_run(seed=seed, rate=300)
        wrong = _at(run, faketime, "worker", "+400d")
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

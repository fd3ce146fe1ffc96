"""A new version takes over from an older one, under load: its state, its group, its changelog."""

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.chaos.mastery_run import MasteryRun
from tests.chaos.scenario import rounds, scenario
from tests.support.worker import CHECKOUT


def _git(*words: str) -> bytes:
    done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"NO HISTORY TO UPGRADE FROM: git {words[0]}: {done.stderr.decode().strip()}")
    return done.stdout


def _before_formats_changed() -> str:
    """The newest commit whose files of rows have another format than now."""
    changed = _git("log", "-n1", "--format=%H", "-G^FORMAT: Final", "HEAD", "--", "app/state/store.py")
    name = changed.decode().strip()
    if not name:
        pytest.skip("NO HISTORY TO UPGRADE FROM: it does not go back to another format of state files")
    return _git("rev-parse", "--short", f"{name}^").decode().strip()


def _previous() -> str:
    return _git("rev-parse", "--short", "HEAD~1").decode().strip()


def _former(commit: str, folder: Path) -> Mapping[str, str]:
    """Unpack the code of a commit; return the variables with which `python -m app.cli` is that code."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, "app", "avro", "topics"))) as archive:
        archive.extractall(folder, filter="data")
    # Safe: without the folder that the process runs in, where the new code is.
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def _roll(run: MasteryRun, former: Mapping[str, str]) -> None:
    """Two workers of the former code run; one after the other is stopped, and started with the new code."""
    names = ("first", "second")
    old = {name: run.worker(name, **former) for name in names}
    for worker in old.values():
        worker.start()
        worker.wait_ready(90.0)
    run.wait_for_rows(200, timeout=90.0)
    for name in names:
        with run.fault(f"{name} is upgraded", left="before"):
            old[name].terminate()
            assert old[name].wait(60.0) == 0, old[name].log
            worker = run.worker(name)
            worker.start()
        worker.wait_ready(90.0)
        run.wait_for_rows(100, timeout=90.0)
    run.school.redefine(1)
    run.wait_for_rows(100, timeout=90.0)
    run.finish(timeout=120.0)


@scenario("upgrade-state", seconds=360)
def test_an_upgrade_from_another_format_of_state(mastery_run, tmp_path) -> None:
    """Two workers of the code before state files last changed their format are replaced, under load.

    The former files are put aside with a line in the log, and restored from the changelog; meanwhile old and
    new worker share the partitions. Every row is the oracle's, every event typed once.
    """
    for seed, _ in rounds("upgrade-state"):
        commit = _before_formats_changed()
        run = mastery_run(seed=seed, rate=300)
        run.note(f"from {commit}")
        _roll(run, _former(commit, tmp_path / f"code-{seed}"))
        told = (run.folder / "first.log").read_text()
        assert "is of another format than" in told, told[-2_000:]


@scenario("upgrade-rolling", seconds=360)
def test_a_rolling_restart_from_the_previous_commit(mastery_run, tmp_path) -> None:
    """Two workers of the previous commit's code are replaced one after the other, under load.

    Every row is the oracle's, every event typed once, and committed offsets never go back.
    """
    for seed, _ in rounds("upgrade-rolling"):
        commit = _previous()
        run = mastery_run(seed=seed, rate=300)
        run.note(f"from {commit}")
        _roll(run, _former(commit, tmp_path / f"code-{seed}"))

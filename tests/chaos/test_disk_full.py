"""The disk of the state folder is full, or takes no larger files."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.mastery_run import MasteryRun
from tests.chaos.scenario import rounds, scenario
from tests.chaos.watched_worker import WatchedWorker
from tests.support.waiting import wait_until

#: Bytes of a disk that is large enough for the rows of a run.
_DISK = 256 * 1024 * 1024
#: Bytes that no file may have more of. SQLite's log of some hundred rows has.
_LIMIT = 192 * 1024


class _Disk:
    """A file system in memory that can be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs"]
        subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)

    def fill(self) -> None:
        """Leave no byte."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            for size in (1024 * 1024, 4096):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Give all of it back."""
        (self.folder / "ballast").unlink()

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


def _can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("unshare") is not None and _mounts()


def _mounts() -> bool:
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disks() -> Iterator[list[_Disk]]:
    """Disks to be unmounted in the end."""
    disks: list[_Disk] = []
    yield disks
    for disk in disks:
        disk.close()


def _require_loud(run: MasteryRun, worker: WatchedWorker, begun: int) -> None:
    """Wait until it has ended three times, each time with 1 and a line about the disk."""
    wait_until(lambda: len(run.own_exits) >= begun + 3, timeout=120.0, what="three ends", detail=run.logs)
    assert set(run.own_exits) == {1}, worker.log
    lines = worker.log_file.read_text().splitlines()
    told = [line for line in lines if line.startswith("error:")]
    hints = [line for line in lines if "make room on the disk" in line or "MASTERY_STATE_DIR" in line]
    assert len(told) >= 2, worker.log
    assert len(hints) >= 2, worker.log
    assert not any("Traceback" in line for line in lines), worker.log


@scenario("disk-full", seconds=300)
def test_disk_of_the_state_folder_is_full(mastery_run, disks: list[_Disk]) -> None:
    """The disk with a worker's state folder, a small one of its own, is filled to the last byte under load.

    The worker ends with a line that says so, and at each start again. What Kafka has committed is not lost:
    when there is room again, the next start goes on. Every row is the oracle's.
    """
    if not _can_mount():
        pytest.skip("this user may not mount a disk: `disk-full-limit` does the same with a limit")
    for seed, _ in rounds("disk-full"):
        run = mastery_run(seed=seed, rate=200)
        disk = _Disk(run.state_folder("worker"))
        disks.append(disk)
        [worker] = run.start_managed("worker")
        for _ in range(2):
            run.wait_for_rows(300, timeout=90.0)
            begun = len(run.own_exits)
            with run.fault("the disk is full", left="before"):
                disk.fill()
                _require_loud(run, worker, begun)
                disk.free()
            worker.wait_ready(90.0)
        run.finish(timeout=120.0)


@scenario("disk-full-limit", seconds=300)
def test_state_files_may_not_grow(mastery_run) -> None:
    """The same with a limit for the size of a file, which any user may set: no write beyond it succeeds."""
    for seed, _ in rounds("disk-full-limit"):
        run = mastery_run(seed=seed, rate=200)
        limit = run.folder / "limit"
        limit.write_text(str(_LIMIT))
        worker = run.worker("worker", module=("tests.chaos.limited_worker",), FILE_LIMIT=str(limit))
        run.manage(worker)
        with run.fault(f"no file above {_LIMIT} bytes", left="maybe"):
            worker.start()
            _require_loud(run, worker, 0)
            assert run.require_work_left()
            limit.write_text(str(resource.RLIM_INFINITY))
        worker.wait_ready(90.0)
        run.wait_for_rows(300, timeout=90.0)
        run.finish(timeout=120.0)

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from app.checks import StateFolderInUse, StateFolderUnusable, lock_state_dir, state_folder

HOLD = """
import sys, time
from pathlib import Path
from app.checks import lock_state_dir
lock = lock_state_dir(Path(sys.argv[1]))
print(lock.worker_id, flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder, and the worker id it has."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    worker_id = child.stdout.readline().strip()
    yield child, worker_id
    child.kill()
    child.wait()
    child.stdout.close()


def test_the_folder_is_made_and_only_the_user_may_look_into_it(tmp_path):
    folder = tmp_path / "some" / "where"
    with lock_state_dir(folder) as lock:
        assert lock.path == folder
        assert folder.stat().st_mode & 0o077 == 0


def test_a_worker_is_the_same_one_after_a_restart(tmp_path):
    with lock_state_dir(tmp_path / "a") as first:
        assert uuid.UUID(first.worker_id).version == 4
    with lock_state_dir(tmp_path / "a") as again, lock_state_dir(tmp_path / "b") as other:
        assert again.worker_id == first.worker_id
        assert other.worker_id != first.worker_id


@pytest.mark.parametrize("content", [b"", b"12ab", b"\xff\xfe"])
def test_an_id_cut_short_by_a_crash_is_made_anew(tmp_path, content):
    (tmp_path / "worker-id").write_bytes(content)
    with lock_state_dir(tmp_path) as lock:
        assert uuid.UUID(lock.worker_id)
        assert (tmp_path / "worker-id").read_text().strip() == lock.worker_id


def test_a_second_worker_is_told_who_has_the_folder(tmp_path, holder):
    child, _ = holder
    with pytest.raises(StateFolderInUse) as caught:
        lock_state_dir(tmp_path)
    assert (
        str(caught.value) == f"the state folder {tmp_path} is in use by another worker (process {child.pid})"
    )
    assert "MASTERY_STATE_DIR" in caught.value.hint


def test_two_in_one_process_do_not_share_it_either(tmp_path):
    with lock_state_dir(tmp_path), pytest.raises(StateFolderInUse, match=f"process {os.getpid()}"):
        lock_state_dir(tmp_path)


def test_a_killed_worker_leaves_the_folder_free_and_its_id_in_it(tmp_path, holder):
    child, worker_id = holder
    child.send_signal(signal.SIGKILL)
    child.wait()
    with lock_state_dir(tmp_path) as lock:
        assert lock.worker_id == worker_id


def test_release_gives_it_back_once(tmp_path):
    lock = lock_state_dir(tmp_path)
    lock.release()
    lock.release()
    lock_state_dir(tmp_path).release()


def test_nothing_of_the_probe_is_left(tmp_path):
    with lock_state_dir(tmp_path):
        assert {file.name for file in tmp_path.iterdir()} == {"worker.lock", "worker-id"}


@pytest.mark.parametrize("path", ["file", "file/below", "/proc/mastery"])
def test_a_folder_that_cannot_be_made(tmp_path, path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateFolderUnusable, match=r"cannot be used: ") as caught:
        lock_state_dir(tmp_path / path)
    assert "MASTERY_STATE_DIR" in caught.value.hint


def test_a_file_system_without_shared_memory_is_found_out(tmp_path, monkeypatch):
    # SQLite's dot-file locking stands in for it: WAL mode is refused there as on a network file system.
    connect = sqlite3.connect

    def network(path):
        return connect(f"file:{path}?vfs=unix-dotfile", uri=True)

    monkeypatch.setattr(state_folder.sqlite3, "connect", network)
    with pytest.raises(StateFolderUnusable, match="WAL mode does not work") as caught:
        lock_state_dir(tmp_path)
    assert "local disk" in caught.value.hint
    monkeypatch.undo()
    lock_state_dir(tmp_path).release()


def test_a_write_that_fails_is_found_out(tmp_path):
    (tmp_path / "wal-probe.db").mkdir()
    with pytest.raises(StateFolderUnusable):
        lock_state_dir(tmp_path)
    (tmp_path / "wal-probe.db").rmdir()
    lock_state_dir(tmp_path).release()


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    connect = sqlite3.connect

    def without_room(path):
        database = connect(path)
        # What SQLite says then is what it says when a disk is full.
        database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(state_folder.sqlite3, "connect", without_room)
    with pytest.raises(StateFolderUnusable, match="its disk is full") as caught:
        lock_state_dir(tmp_path)
    assert "make room" in caught.value.hint

    def fails(_path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_folder, "_worker_id", fails)
    with pytest.raises(StateFolderUnusable, match="No space left") as caught:
        lock_state_dir(tmp_path)
    assert "make room" in caught.value.hint

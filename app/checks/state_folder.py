"""The state folder: one worker's alone, writable, on a disk that SQLite's WAL mode works on."""

import contextlib
import errno
import fcntl
import os
import sqlite3
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from app.checks.errors import StateFolderInUse, StateFolderUnusable

__all__ = ["StateLock", "lock_state_dir"]

_LOCK = "worker.lock"
_WORKER_ID = "worker-id"
_PROBE = "wal-probe.db"

_LOCAL_DISK = "set MASTERY_STATE_DIR to a folder on a local disk that this user may write"
_ROOM = "make room on the disk of MASTERY_STATE_DIR, then start the worker again: it goes on where it was"

#: What a write fails with where there is no room: the disk, the user's share of it, the largest file allowed.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StateLock:
    """The right to a state folder, held until `release` or the end of the process, however it ends."""

    def __init__(self, path: Path, descriptor: int, worker_id: str) -> None:
        self.path = path
        self.worker_id = worker_id
        self._descriptor: int | None = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let another worker have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_state_dir(path: Path) -> StateLock:
    """Make the folder if need be, lock it, and prove by a write that SQLite's WAL mode works in it.

    The lock is flock(2): the kernel gives it back when the process ends, kill -9 included. `worker_id` is a
    UUID (32 hex digits) kept in the folder, so a worker is the same one after a restart. Raises
    StateFolderInUse and StateFolderUnusable.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        _lock(path, descriptor)
        try:
            worker_id = _worker_id(path / _WORKER_ID)
            _probe_wal(path)
        except OSError as error:
            raise _unusable(path, error) from None
    except BaseException:
        os.close(descriptor)
        raise
    return StateLock(path, descriptor, worker_id)


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        process = f" (process {holder})" if holder.isdigit() else ""
        raise StateFolderInUse(
            f"the state folder {path} is in use by another worker{process}",
            hint="set MASTERY_STATE_DIR to a folder of its own for each worker, or stop the other one",
        ) from None
    except OSError as error:
        raise _unusable(path, error) from None
    with contextlib.suppress(OSError):  # the process id is for that message alone
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _worker_id(file: Path) -> str:
    """Read the id, or make one where there is none or half of one. The caller holds the lock."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return uuid.UUID(file.read_text(encoding="ascii").strip()).hex
    worker_id = uuid.uuid4().hex
    fresh = file.with_suffix(".new")
    with fresh.open("w", encoding="ascii") as stream:
        stream.write(f"{worker_id}\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
    return worker_id


def _probe_wal(folder: Path) -> None:
    """Write a row in WAL mode and read it through a second connection.

    WAL needs memory shared between connections and working locks (sqlite.org/wal.html): network file systems
    lack them. There SQLite stays in another mode without a word, or fails at the first write.
    """
    probe = folder / _PROBE
    try:
        _remove_probe(probe)
        with contextlib.closing(sqlite3.connect(probe)) as writer:
            [mode] = writer.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode != "wal":
                raise StateFolderUnusable(
                    f"SQLite's WAL mode does not work in the state folder {folder}", hint=_LOCAL_DISK
                )
            writer.execute("CREATE TABLE probe (value INTEGER)")
            writer.execute("INSERT INTO probe VALUES (1)")
            writer.commit()
            with contextlib.closing(sqlite3.connect(probe)) as reader:
                reader.execute("SELECT value FROM probe").fetchone()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StateFolderUnusable(
                f"the state folder {folder} cannot be used: its disk is full", hint=_ROOM
            ) from None
        raise StateFolderUnusable(
            f"SQLite's WAL mode does not work in the state folder {folder}: {error}", hint=_LOCAL_DISK
        ) from None
    finally:
        with contextlib.suppress(OSError):
            _remove_probe(probe)


def _remove_probe(probe: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        probe.with_name(probe.name + suffix).unlink(missing_ok=True)


def _unusable(path: Path, error: OSError) -> StateFolderUnusable:
    return StateFolderUnusable(
        f"the state folder {path} cannot be used: {error.strerror or error}",
        hint=_ROOM if error.errno in _NO_ROOM else _LOCAL_DISK,
    )

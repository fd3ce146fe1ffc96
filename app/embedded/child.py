"""A child process that never outlives the process that started it, however that one ends.

`atexit` does not run after SIGKILL; Linux's parent-death signal is bound to a thread and unknown elsewhere.
So a second, tiny child (`sh`) waits on a pipe that only the parent holds open: when the parent is gone the
pipe closes, and this guard kills the child's whole process group. Works on Linux and macOS.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = ["ChildProcess"]

_GUARD = 'read -r _; kill -s KILL -- "-$1"'
_TAIL_BYTES = 16_384


class ChildProcess:
    """One child process in a session of its own, with its output in a file.

    A session of its own keeps the terminal's Ctrl-C away from it: the parent decides when and in which order
    its children end. `output` gets stdout and stderr, appended (None: a nameless temporary file, for `tail`
    alone). `env` replaces the environment when given. Can be started again after it ended.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        output: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._argv = [str(part) for part in argv]
        self._output = output
        self._env = dict(env) if env is not None else None
        self._cwd = cwd
        self._log: IO[bytes] | None = None
        self._last_output = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process. Raises OSError when it cannot be executed, RuntimeError when it already runs."""
        if self.running:
            raise RuntimeError(f"process {self.pid} runs already")
        log = tempfile.TemporaryFile() if self._output is None else self._output.open("a+b")  # noqa: SIM115 - `_release` closes it
        try:
            self._process = subprocess.Popen(  # noqa: S603 - runs what its caller names, without a shell
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        except BaseException:
            log.close()
            raise
        self._log = log
        self._guard = subprocess.Popen(  # noqa: S603 - a constant script and a number
            ["/bin/sh", "-c", _GUARD, "guard", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id; also the id of its process group."""
        if self._process is None:
            raise RuntimeError("the process was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True from the start until the process has ended (a stopped process runs)."""
        return self._process is not None and self.returncode is None

    @property
    def returncode(self) -> int | None:
        """Exit status of the last run: None while it runs, negative for a signal."""
        if self._process is None or self._process.poll() is None:
            return None
        self._release()
        return self._process.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status. Raises TimeoutError after `timeout` seconds."""
        if self._process is None:
            raise RuntimeError("the process was never started")
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"process {self.pid} still runs after {timeout} s") from None
        self._release()
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; nothing happens if the process has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def stop(self, timeout: float = 10.0) -> int | None:
        """End it: SIGTERM, then SIGKILL after `timeout` seconds. Returns the exit status."""
        if self.running:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a stopped process could not act on SIGTERM
            with contextlib.suppress(TimeoutError):
                self.wait(timeout)
        return self.kill()

    def kill(self) -> int | None:
        """End it with SIGKILL and wait for that. Returns the exit status, None if never started."""
        if self._process is None:
            return None
        self.signal(signal.SIGKILL)
        return self.wait()

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the output, at most 16 KiB; those of the last run once it has ended."""
        if self._log is not None:
            # pread, as the file position of a nameless file is shared with the child that writes to it.
            descriptor = self._log.fileno()
            start = max(0, os.fstat(descriptor).st_size - _TAIL_BYTES)
            self._last_output = os.pread(descriptor, _TAIL_BYTES, start)
        return "\n".join(self._last_output.decode(errors="replace").splitlines()[-lines:])

    def _release(self) -> None:
        """End the guard as soon as the end was seen: the process id may belong to another process soon."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard = None
        if self._log is not None:
            self.tail()
            self._log.close()
            self._log = None

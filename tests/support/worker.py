"""A worker as its own process, as a process manager would run it."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from app.embedded.child import ChildProcess
from tests.support.ports import stable_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ["CHECKOUT", "WorkerProcess", "command_environment"]

CHECKOUT = Path(__file__).parents[2]


def command_environment(settings: "Settings", **variables: str) -> dict[str, str]:
    """Return the environment in which `python -m app.cli ...` sees these settings and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASTERY_")}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if value is not None:
            environment[f"MASTERY_{name.upper()}"] = _text(value)
    return environment | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"} | variables


class WorkerProcess:
    """`mastery worker` with the given settings, its own state folder and its own web port.

    Can be started again after it ended; the output of all runs is in `log_file`. `module` with its arguments
    is what `python -m` runs, `variables` come on top of the environment.
    """

    def __init__(
        self,
        settings: "Settings",
        folder: Path,
        *,
        name: str = "worker",
        module: tuple[str, ...] = ("app.cli", "worker"),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log_file = folder / f"{name}.log"
        self._web_port = stable_port()
        own = {
            "MASTERY_STATE_DIR": str(folder / f"{name}-state"),
            "MASTERY_WEB_PORT": str(self._web_port),
        }
        self._child = ChildProcess(
            [sys.executable, "-m", *module],
            output=self.log_file,
            env=command_environment(settings, **own, **(variables or {})),
            cwd=CHECKOUT,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """True while the process lives (frozen or not)."""
        return self._child.running

    @property
    def returncode(self) -> int | None:
        """Exit status, None while it runs."""
        return self._child.returncode

    @property
    def frozen(self) -> bool:
        """True while it is stopped by a signal, its own included."""
        asked = ["ps", "-o", "stat=", "-p", str(self._child.pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.startswith("T")

    @property
    def memory(self) -> float:
        """Resident memory of its process in MiB, 0 while it does not run."""
        if not self.running:
            return 0.0
        asked = ["ps", "-o", "rss=", "-p", str(self._child.pid)]
        return float(subprocess.run(asked, capture_output=True, text=True, check=False).stdout or 0) / 1024

    @property
    def log(self) -> str:
        """The last lines it printed."""
        return f"--- {self.name} (exit status {self.returncode}):\n{self._child.tail(40)}"

    @property
    def url(self) -> str:
        """Address of its web server."""
        return f"http://127.0.0.1:{self._web_port}"

    @property
    def ready(self) -> bool:
        """Whether /health/ready answers 200 now."""
        connection = http.client.HTTPConnection("127.0.0.1", self._web_port, timeout=1.0)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def start(self) -> None:
        """Start it; returns before it is ready."""
        self._child.start()

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until it is ready; fails as soon as it ends instead."""

        def ready_or_ended() -> bool:
            if not self.running:
                raise AssertionError(f"the worker ended before it was ready\n{self.log}")
            return self.ready

        wait_until(ready_or_ended, timeout=timeout, what=f"{self.name} to be ready", detail=lambda: self.log)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._child.signal(signal.SIGTERM)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for the end and return the exit status; AssertionError with its log otherwise."""
        try:
            return self._child.wait(timeout)
        except TimeoutError:
            raise AssertionError(f"{self.name} did not end within {timeout:g} s\n{self.log}") from None

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        self._child.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send any other signal, without waiting."""
        self._child.signal(number)

    def freeze(self) -> None:
        """SIGSTOP: it hangs, its connections stay open."""
        self._child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        self._child.signal(signal.SIGCONT)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.value) if isinstance(value, Enum) else str(value)

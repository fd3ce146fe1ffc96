"""Three Kafka brokers on one machine, each of them broker and controller: one may go, and all goes on."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka.server import KafkaServer, new_cluster_id
from tests.support.ports import stable_port
from tests.support.waiting import wait_until

__all__ = ["KafkaCluster"]

_COUNT = 3
_READY_TIMEOUT = 90.0
_PROPERTIES = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A broker or controller that is gone is noticed in about 3 s instead of 8.
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.election.backoff.max.ms": "500",
    # A replica that was away does not stay out of sync for half a minute.
    "replica.lag.time.max.ms": "4000",
}


class KafkaCluster:
    """Brokers 1 to 3, replication factor 3, at least 2 replicas in sync. Used like a KafkaServer."""

    def __init__(self, *, properties: Mapping[str, str] | None = None) -> None:
        controllers = {node: stable_port() for node in range(1, _COUNT + 1)}
        cluster_id = new_cluster_id()
        self.servers: Mapping[int, KafkaServer] = {
            node: KafkaServer(
                properties=_PROPERTIES | dict(properties or {}),
                heap="384m",
                node=node,
                controllers=controllers,
                cluster_id=cluster_id,
            )
            for node in controllers
        }

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        """Addresses for clients, HOST:PORT,HOST:PORT,..."""
        return ",".join(server.bootstrap for server in self.servers.values())

    @property
    def running(self) -> bool:
        """True while every broker's process lives (frozen or not)."""
        return all(server.running for server in self.servers.values())

    def start(self) -> None:
        """Start every broker that does not run, and wait until all are there and in sync."""
        for server in self.servers.values():
            if not server.running:
                server.launch()
        self.wait_ready()

    def thaw(self) -> None:
        """SIGCONT to every broker."""
        for server in self.servers.values():
            server.thaw()

    def close(self) -> None:
        """End all processes and remove their data."""
        for server in self.servers.values():
            server.close()

    def wait_ready(self, timeout: float = _READY_TIMEOUT) -> None:
        """Wait until all brokers answer and every partition has all of its replicas in sync."""
        wait_until(
            self._whole,
            timeout=timeout,
            what="all brokers to be in sync",
            detail=lambda: "\n".join(server.log for server in self.servers.values()),
            interval=0.2,
        )

    def leaders(self, topics: Sequence[str]) -> dict[int, int]:
        """Return how many partitions of these topics each broker leads."""
        known = self._admin().list_topics(timeout=10.0).topics
        counts = dict.fromkeys(self.servers, 0)
        for topic in topics:
            for partition in known[topic].partitions.values():
                counts[partition.leader] += 1
        return counts

    def coordinator(self, group: str) -> int:
        """Return the number of the broker that coordinates a consumer group."""
        # Kept until the answer is there: without its client, a request has no end.
        admin = self._admin()
        found = admin.describe_consumer_groups([group])[group].result(10.0)
        return int(found.coordinator.id)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def _whole(self) -> bool:
        for number, server in self.servers.items():
            if not server.running:
                raise AssertionError(f"broker {number} ended\n{server.log}")
        with contextlib.suppress(KafkaException):
            cluster = self._admin().list_topics(timeout=5.0)
            partitions = [one for topic in cluster.topics.values() for one in topic.partitions.values()]
            return len(cluster.brokers) == _COUNT and all(len(one.isrs) == _COUNT for one in partitions)
        return False

"""The broker that a test run talks to, by the `--broker` option."""

import contextlib
import gc
import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.embedded.broker import EmbeddedBroker

__all__ = ["CANNOT_RUN", "Broker", "cannot_run", "container_broker", "embedded_broker", "given_broker"]

CANNOT_RUN = "cannot run here: "
# In Confluent's image Kafka's properties are variables.
_CONTAINER_IMAGE = "confluentinc/cp-kafka:7.9.1"
_CONTAINER_PROPERTIES = {
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
}


@dataclass(frozen=True, slots=True)
class Broker:
    """`kind` is embedded, kafka, docker or given; `real` is False for the embedded one alone."""

    bootstrap: str
    kind: str
    real: bool


def cannot_run(reason: str) -> None:
    """Skip the test; the summary at the end of the run repeats the reason."""
    pytest.skip(f"{CANNOT_RUN}{reason}")


@contextlib.contextmanager
def embedded_broker() -> Iterator[Broker]:
    """Run the embedded broker."""
    with EmbeddedBroker(port=0) as broker:
        yield Broker(broker.bootstrap, "embedded", real=False)


@contextlib.contextmanager
def container_broker() -> Iterator[Broker]:
    """Run Kafka in a container, where there is an engine for it."""
    from testcontainers.community.kafka import KafkaContainer

    if not _engine_answers():
        cannot_run("no container engine answers (--broker docker)")
    container = KafkaContainer(_CONTAINER_IMAGE).with_kraft()
    for name, value in _CONTAINER_PROPERTIES.items():
        container = container.with_env(name, value)
    with container as running:
        yield Broker(running.get_bootstrap_server(), "docker", real=True)


def _engine_answers() -> bool:
    """Having the `docker` command proves nothing, and testcontainers without an engine waits long."""
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    with warnings.catch_warnings():
        # The client leaves the socket open that it could not connect.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            client = docker.from_env(timeout=3)
            client.ping()
            client.close()
        except (DockerException, RequestException):
            return False
        finally:
            gc.collect()
    return True


@contextlib.contextmanager
def given_broker(address: str) -> Iterator[Broker]:
    """Use a Kafka that somebody else runs; fails at once when nothing listens there."""
    host, _, port = address.split(",", maxsplit=1)[0].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5.0):
            pass
    except OSError as error:
        pytest.fail(f"--broker {address}: {error}", pytrace=False)
    yield Broker(address, "given", real=True)

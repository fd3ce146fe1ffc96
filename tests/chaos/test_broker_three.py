"""One broker of three is killed, or hangs."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException

from tests.chaos.run import EVENT_NAMES, FaultRun
from tests.chaos.scenario import rounds, scenario
from tests.kafka.artifacts import why_not
from tests.kafka.cluster import KafkaCluster
from tests.support.brokers import cannot_run
from tests.support.waiting import wait_until

#: Settings of the workers: topics as docs/guarantees.md advises them.
SAFE = {"replication_factor": 3, "min_insync_replicas": 2, "session_timeout": 6.0}


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[KafkaCluster]:
    """Three brokers."""
    if (reason := why_not()) is not None:
        cannot_run(f"no real Kafka: {reason}")
    with KafkaCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: KafkaCluster) -> Iterator[KafkaCluster]:
    """Three brokers, all of them there again after a test."""
    yield shared_cluster
    shared_cluster.thaw()
    shared_cluster.start()


def _victims(run: FaultRun, cluster: KafkaCluster) -> list[int]:
    """The broker that coordinates the group, then the one of the others that leads most partitions."""
    first = cluster.coordinator(run.settings.group_id)
    topics = [run.settings.raw_topic_name, *map(run.settings.typed_topic, EVENT_NAMES)]
    leaders = cluster.leaders(topics)
    return [first, max((node for node in leaders if node != first), key=leaders.__getitem__)]


def _wait_for_a_coordinator(run: FaultRun) -> None:
    """Wait until another broker tells what the group has committed."""

    def told() -> bool:
        with contextlib.suppress(KafkaException):
            run.committed()
            return True
        return False

    wait_until(told, timeout=90.0, what="another coordinator of the group", detail=run.logs)


@scenario("broker-killed-of-three", seconds=400)
def test_one_broker_of_three_is_killed(mastery_run, cluster: KafkaCluster) -> None:
    """With three replicas, two of them in sync: the group's coordinator is killed (-9), later another leader.

    Work goes on with two brokers. When the killed one is back and in sync the next is killed. Every row is
    the oracle's.
    """
    for seed, _ in rounds("broker-killed-of-three"):
        run = mastery_run(seed=seed, rate=250, kafka=cluster, **SAFE)
        run.start_managed("one", "two")
        run.wait_for_progress(1_000, timeout=90.0)
        for victim in _victims(run, cluster):
            with run.fault(f"kill -9 of broker {victim}", left="before"):
                cluster.servers[victim].kill()
                _wait_for_a_coordinator(run)
            run.record.count(kills=1)
            run.wait_for_progress(1_000, timeout=90.0)
            cluster.start()
            run.wait_for_progress(500, timeout=90.0)
        run.finish(timeout=120.0)


@scenario("broker-hangs-of-three", seconds=400)
def test_one_broker_of_three_hangs(fault_run, cluster: KafkaCluster) -> None:
    """The same with SIGSTOP: connections to the broker stay open, and nothing answers for 25 s.

    Work goes on with two brokers while it hangs. Every event is found exactly once.
    """
    for seed, _ in rounds("broker-hangs-of-three"):
        run = fault_run(seed=seed, rate=500, kafka=cluster, **SAFE)
        run.start_managed("one", "two")
        run.wait_for_progress(1_000, timeout=90.0)
        for victim in _victims(run, cluster):
            frozen_at = time.monotonic()
            with run.fault(f"SIGSTOP to broker {victim}", left="before"):
                cluster.servers[victim].freeze()
                _wait_for_a_coordinator(run)
            run.record.count(freezes=1)
            run.wait_for_progress(1_000, timeout=90.0)
            time.sleep(max(0.0, frozen_at + 25.0 - time.monotonic()))
            # For a moment, one that wakes up still tells as a leader where its partitions ended long ago.
            told = len(run.sampler.marks)
            cluster.servers[victim].thaw()
            cluster.wait_ready()
            del run.sampler.marks[told:]
            run.wait_for_progress(500, timeout=90.0)
        run.finish(timeout=120.0)

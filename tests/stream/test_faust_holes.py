"""The holes of faust-streaming 0.15.3 that could lose data here: open in stock Faust, closed in the core.

Each test has one body. It is expected to fail on stock Faust, strictly: should a later Faust mend a hole, its
test says so. "core-pure" is the core with `NO_CYTHON=1`.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import faust
import pytest
from aiokafka.errors import CommitFailedError
from confluent_kafka import KafkaError
from faust.types import TP

from app.stream.batch import Output
from app.stream.checkpoint import Checkpointer
from app.stream.producer import TransactionalProducer
from app.stream.progress import Progress
from tests.stream.copying import Outcome, Scene, fault_and_restart
from tests.stream.fakes import assignment_of, make_batch
from tests.support.mock_cluster import ApiKey, MockCluster

VALUES = [b"%d" % number for number in range(50)]


def with_fault(fault: str, workers: int = 1) -> Callable[[Scene], Outcome]:
    """The fault happens at record 20."""

    def run(scene: Scene) -> Outcome:
        kind = scene.params["kind"]
        job = scene.job(core=kind != "stock", fault=fault, fault_value="20", workers=workers)
        return fault_and_restart(scene, job, VALUES, pure=kind == "core-pure")

    return run


SCENARIOS = {
    "test_the_record_whose_agent_failed_is_processed_again": with_fault("raise"),
    "test_nothing_is_committed_past_a_record_in_hand": with_fault("hang", workers=2),
    "test_a_record_that_could_not_be_sent_is_not_passed_over": with_fault("large"),
}


def open_in_stock_faust(reason: str, *others: str) -> pytest.MarkDecorator:
    """Run the test on stock Faust, where it fails for that reason, and on `others`."""
    fails = pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)
    return pytest.mark.parametrize("kind", [pytest.param("stock", marks=fails), *others])


@open_in_stock_faust("an exception in an agent acknowledges the record", "core", "core-pure")
def test_the_record_whose_agent_failed_is_processed_again(outcome: Outcome, kind: str) -> None:
    assert (outcome.lost, outcome.twice) == ([], []), outcome.log


@open_in_stock_faust("offsets are committed past a record that is still in hand", "core", "core-pure")
def test_nothing_is_committed_past_a_record_in_hand(outcome: Outcome, kind: str) -> None:
    assert (outcome.lost, outcome.twice) == ([], []), outcome.log


@pytest.mark.kafka
@open_in_stock_faust("a failed send is logged, and its offset committed", "core", "core-pure")
def test_a_record_that_could_not_be_sent_is_not_passed_over(outcome: Outcome, kind: str) -> None:
    assert (outcome.lost, outcome.twice) == ([], []), outcome.log


@open_in_stock_faust("ProducerBuffer.flush gives up after 0.1 s without a message sent", "core")
def test_a_flush_waits_until_everything_is_with_the_broker(kind: str) -> None:
    with MockCluster() as cluster:
        cluster.create_topic("out")
        flushed = stock_flush(cluster) if kind == "stock" else core_flush(cluster)
        assert asyncio.run(flushed) == 0


async def stock_flush(cluster: MockCluster) -> int:
    """Return how many records are not with the broker when Faust says that all are."""
    app = stock_app(cluster)
    topic = app.topic("out", value_serializer="raw")
    async with app.producer:
        with cluster.slow(0.3):
            sent = [topic.send_soon(value=value) for value in VALUES]
            await app.producer.flush()
            await asyncio.sleep(0.01)  # the callbacks of what was delivered
            return sum(not message.done() for message in sent)


async def core_flush(cluster: MockCluster) -> int:
    """Return how many records are not with the broker when the core's producer says that all are."""
    producer = core_producer(cluster)
    with cluster.slow(0.3):
        producer.begin()
        producer.produce(Output(typed=[("out", value, b"key", -1, None, None, 1) for value in VALUES]))
        await asyncio.get_running_loop().run_in_executor(None, producer.flush)
        return len(producer._producer)


@open_in_stock_faust("the offsets of a refused commit are taken as committed, and never tried again", "core")
def test_a_refused_commit_is_not_taken_as_done(kind: str) -> None:
    with MockCluster() as cluster:
        cluster.create_topic("raw")
        cluster.create_topic("out")
        believed = stock_belief(cluster) if kind == "stock" else core_belief(cluster)
        assert asyncio.run(believed) == 0


async def stock_belief(cluster: MockCluster) -> int:
    """Return the position that Faust takes for committed after the group refused to commit 5."""
    consumer: Any = stock_app(cluster).consumer
    place = TP("raw", 0)
    refusing = mock.Mock(commit=mock.AsyncMock(side_effect=CommitFailedError("already rebalanced")))
    consumer._committed_offset[place] = 0
    with (
        mock.patch.object(consumer._thread, "_consumer", refusing),
        mock.patch.object(consumer, "_commit", consumer._thread._commit),
        mock.patch.object(consumer, "assignment", return_value={place}),
        mock.patch.object(consumer._thread, "assignment", return_value={place}),
        mock.patch.object(consumer.app.producer, "flush", mock.AsyncMock()),
    ):
        if await consumer._commit_offsets({place: 5}):
            raise RuntimeError("the commit was not refused")
    consumer._thread.thread_loop.close()
    return int(consumer._committed_offset[place])


async def core_belief(cluster: MockCluster) -> int:
    """Return the position that the core takes for committed after the group refused to commit 5."""
    progress, failed = Progress(), asyncio.Event()
    checkpointer = Checkpointer(
        core_producer(cluster), progress, "group", interval=0.0, on_failure=lambda _: failed.set()
    )
    assignment = assignment_of(1, partitions=1)
    checkpointer.open(assignment, {("raw", 0): 0})
    progress.assigned(1, {("raw", 0): 0})
    cluster.fail(ApiKey.TXN_OFFSET_COMMIT, KafkaError.ILLEGAL_GENERATION)
    await checkpointer.write(make_batch(assignment, size=5), Output())
    await asyncio.wait_for(failed.wait(), 10.0)
    checkpointer.close()
    return int(progress.snapshot().partitions[0].committed or 0)


def stock_app(cluster: MockCluster) -> faust.App:
    app = faust.App("stock", broker=f"kafka://{cluster.bootstrap}", topic_allow_declare=False)
    app.finalize()
    return app


def core_producer(cluster: MockCluster) -> TransactionalProducer:
    producer = TransactionalProducer(
        {"bootstrap.servers": cluster.bootstrap, "log_level": 0}, "id", max_message_bytes=1 << 20
    )
    producer.init()
    return producer

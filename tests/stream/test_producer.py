import contextlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from app.kafka import client_config
from app.settings import Settings
from app.stream.batch import Output
from app.stream.errors import CheckpointFailed, ProducerFenced
from app.stream.group_metadata import encode_group_metadata
from app.stream.producer import TRANSACTION_TIMEOUT, TransactionalProducer
from tests.support.mock_cluster import ApiKey, MockCluster
from tests.support.records import committed_offsets, create_topic, end_offsets, read_all
from tests.support.waiting import wait_until

MEMBER = "faust-0-8f5c33483300"
METADATA = encode_group_metadata("group", 1, MEMBER)
POSITIONS = {("in", 0): 10}
RETRIABLE = [KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.NOT_COORDINATOR]


def output_of(*values: bytes, topic: str = "out") -> Output:
    return Output(typed=[(topic, value, b"key", -1, None, None, 1_700_000_000_000) for value in values])


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[MockCluster]:
    with MockCluster() as running:
        running.create_topic("in")
        running.create_topic("out", partitions=3)
        yield running


@pytest.fixture
def cluster(shared_cluster: MockCluster) -> Iterator[MockCluster]:
    yield shared_cluster
    shared_cluster.forget_failures()


@pytest.fixture
def producer(cluster: MockCluster) -> TransactionalProducer:
    return started({"bootstrap.servers": cluster.bootstrap})


def started(
    config: dict[str, Any], transactional_id: str | None = None, **options: Any
) -> TransactionalProducer:
    name = transactional_id or uuid.uuid4().hex
    # Without a callback librdkafka raises a fatal error from any call.
    made = TransactionalProducer(config | {"log_level": 0, "error_cb": lambda _: None}, name, **options)
    made.init()
    return made


def commit(producer: TransactionalProducer, output: Output) -> None:
    producer.begin()
    producer.produce(output)
    producer.commit(POSITIONS, METADATA)


def test_transactions_follow_each_other(producer: TransactionalProducer) -> None:
    for _ in range(3):
        commit(producer, output_of(b"1", b"2"))


def test_flush_waits_for_a_slow_broker(cluster: MockCluster, producer: TransactionalProducer) -> None:
    commit(producer, output_of(b"warm"))
    with cluster.slow(0.3):
        producer.begin()
        producer.produce(output_of(b"1", b"2", b"3"))
        assert len(producer._producer) > 0
        producer.flush()
        assert len(producer._producer) == 0


@pytest.mark.parametrize(
    ("request_kind", "codes"),
    [
        (ApiKey.TXN_OFFSET_COMMIT, RETRIABLE[:1]),
        (ApiKey.END_TXN, RETRIABLE[1:]),
        (ApiKey.ADD_PARTITIONS_TO_TXN, [KafkaError.CONCURRENT_TRANSACTIONS]),
        (ApiKey.PRODUCE, [KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_LEADER_FOR_PARTITION]),
    ],
)
def test_passing_errors_are_waited_out(
    cluster: MockCluster, producer: TransactionalProducer, request_kind: int, codes: list[int]
) -> None:
    cluster.fail(request_kind, *codes)
    commit(producer, output_of(b"1"))


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    ],
)
def test_a_generation_that_is_over_fences(
    cluster: MockCluster, producer: TransactionalProducer, code: int
) -> None:
    cluster.fail(ApiKey.TXN_OFFSET_COMMIT, code)
    with pytest.raises(ProducerFenced, match="send_offsets_to_transaction") as caught:
        commit(producer, output_of(b"1"))
    assert MEMBER not in str(caught.value)
    assert caught.value.hint is None or MEMBER not in caught.value.hint


def test_records_that_no_topic_took_in_time_are_the_reason_when_the_broker_gives_the_transaction_up(
    cluster: MockCluster, producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "flush", lambda: time.sleep(0.02))
    monkeypatch.setattr("app.stream.producer.TRANSACTION_TIMEOUT", 0.02)
    cluster.fail(ApiKey.ADD_OFFSETS_TO_TXN, KafkaError.INVALID_PRODUCER_EPOCH)
    with pytest.raises(CheckpointFailed, match="did not take all records") as caught:
        commit(producer, output_of(b"1"))
    assert not isinstance(caught.value, ProducerFenced)
    assert "mastery topics check" in str(caught.value.hint)


@pytest.mark.parametrize("request_kind", [ApiKey.PRODUCE, ApiKey.ADD_PARTITIONS_TO_TXN, ApiKey.END_TXN])
def test_another_holder_of_the_id_fences(
    cluster: MockCluster, producer: TransactionalProducer, request_kind: int
) -> None:
    cluster.fail(request_kind, KafkaError.INVALID_PRODUCER_EPOCH)
    with pytest.raises(ProducerFenced):
        commit(producer, output_of(b"1"))


@pytest.mark.parametrize("code", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_a_record_that_the_broker_refuses_fails_the_commit(
    cluster: MockCluster, producer: TransactionalProducer, code: int
) -> None:
    cluster.fail(ApiKey.PRODUCE, code)
    with pytest.raises(CheckpointFailed) as caught:
        commit(producer, output_of(b"1"))
    assert not isinstance(caught.value, ProducerFenced)


def test_records_that_were_not_delivered_are_told_with_what_to_do(
    producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What librdkafka says when a topic is gone.
    said = KafkaException(KafkaError(KafkaError._INCONSISTENT))
    monkeypatch.setattr(producer, "_producer", mock.Mock(**{"commit_transaction.side_effect": said}))
    with pytest.raises(CheckpointFailed, match="did not take all records") as caught:
        producer.end()
    assert "mastery topics check" in str(caught.value.hint)


def test_a_record_larger_than_its_topic_takes_is_told_by_whichever_call_learns_of_it(
    cluster: MockCluster, producer: TransactionalProducer
) -> None:
    """After the flush it is the next call of the transaction; while more is produced, that."""
    cluster.fail(ApiKey.PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE)
    with pytest.raises(CheckpointFailed, match="larger than its topic takes") as caught:
        commit(producer, output_of(b"1"))
    assert "mastery topics check" in str(caught.value.hint)
    producer.abort()
    cluster.fail(ApiKey.PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE)
    producer.begin()
    producer.produce(output_of(b"1"))
    producer.flush()
    with pytest.raises(CheckpointFailed, match="did not take all records") as caught:
        producer.produce(output_of(b"2"))
    assert "mastery topics check" in str(caught.value.hint)


def test_a_clock_that_is_ahead_is_told(cluster: MockCluster, producer: TransactionalProducer) -> None:
    """The flush says that a record was refused, the calls after it why; which comes first, timing decides."""
    cluster.fail(ApiKey.PRODUCE, KafkaError.INVALID_TIMESTAMP)
    with pytest.raises(CheckpointFailed) as caught:
        commit(producer, output_of(b"1"))
    assert "clock" in str(caught.value.hint)


def test_a_record_too_large_for_the_client_is_told(cluster: MockCluster) -> None:
    producer = started({"bootstrap.servers": cluster.bootstrap}, max_message_bytes=2000)
    producer.begin()
    with pytest.raises(CheckpointFailed, match="MSG_SIZE_TOO_LARGE"):
        producer.produce(output_of(b"1", bytes(4000), b"2"))


class Reluctant:
    """The client when it takes a call only on the third try."""

    def __init__(self, client: Any, name: str, refusal: Exception) -> None:
        self._client, self._name, self._refusal = client, name, refusal
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return self._try if name == self._name else getattr(self._client, name)

    def _try(self, *arguments: Any) -> Any:
        self.tries += 1
        if self.tries < 3:
            raise self._refusal
        return getattr(self._client, self._name)(*arguments)


def test_a_full_queue_is_waited_for(producer: TransactionalProducer) -> None:
    producer._producer = full = Reluctant(producer._producer, "produce", BufferError("Local: Queue full"))
    commit(producer, output_of(b"1", b"2"))
    assert full.tries == 4


def test_a_queue_that_stays_full_is_told(
    producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.stream.producer._CALL_TIMEOUT", 0.2)
    producer._producer = full = Reluctant(producer._producer, "produce", BufferError("Local: Queue full"))
    full.tries = -1000
    with pytest.raises(CheckpointFailed, match="stays full"):
        commit(producer, output_of(b"1"))


def test_a_record_larger_than_the_queue_is_told_at_once(
    producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.stream.producer._QUEUE_KBYTES", 1024)
    producer._producer = Reluctant(producer._producer, "produce", BufferError("Local: Queue full"))
    with pytest.raises(CheckpointFailed, match="has 2 MiB, more than can be written") as caught:
        commit(producer, output_of(bytes(2 << 20)))
    assert "--to-offset" in caught.value.report


@pytest.mark.parametrize("call", ["begin_transaction", "send_offsets_to_transaction", "commit_transaction"])
def test_what_may_be_tried_again_is(producer: TransactionalProducer, call: str) -> None:
    error = KafkaException(KafkaError(KafkaError._TIMED_OUT, "", False, True))
    producer._producer = slow = Reluctant(producer._producer, call, error)
    commit(producer, output_of(b"1"))
    assert slow.tries == 3


def test_after_an_abort_the_next_transaction_works(
    cluster: MockCluster, producer: TransactionalProducer
) -> None:
    cluster.fail(ApiKey.TXN_OFFSET_COMMIT, KafkaError.ILLEGAL_GENERATION)
    with pytest.raises(ProducerFenced):
        commit(producer, output_of(b"1"))
    producer.abort()
    commit(producer, output_of(b"1"))


def test_abort_never_raises(producer: TransactionalProducer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        producer.abort()
    assert "could not abort" in caplog.text


def test_a_coordinator_of_the_group_that_goes_for_good_is_looked_for_anew() -> None:
    """librdkafka 2.16 waits for the one it knew, for ever, unless a connection of any broker's changes."""
    with MockCluster(brokers=3) as cluster:
        for topic in ("in", "out"):
            cluster.create_topic(topic)
            cluster.lead(topic, 0, broker=1)
        cluster.coordinate("transaction", "ours", 1)
        cluster.coordinate("group", "group", 3)
        producer = started({"bootstrap.servers": cluster.bootstrap}, "ours")
        commit(producer, output_of(b"1"))
        cluster.coordinate("group", "group", 2)
        cluster.decommission(3)
        producer._producer.list_topics(timeout=5.0)
        committing = threading.Thread(target=commit, args=(producer, output_of(b"2")), daemon=True)
        committing.start()
        committing.join(TRANSACTION_TIMEOUT)
        assert not committing.is_alive()
        commit(producer, output_of(b"3"))


def test_a_transaction_after_a_pause_is_like_any_other(cluster: MockCluster) -> None:
    """Connections are closed meanwhile: that is neither slow, nor the end of them."""
    producer = started({"bootstrap.servers": cluster.bootstrap})
    commit(producer, output_of(b"1"))
    time.sleep(4.5)
    began = time.monotonic()
    commit(producer, output_of(b"2"))
    assert time.monotonic() - began < 2.0


def test_a_broker_that_hangs_fails_the_commit_in_time(
    cluster: MockCluster, producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.stream.producer._CALL_TIMEOUT", 1.5)
    with cluster.slow(30.0):
        started_at = time.monotonic()
        with pytest.raises(CheckpointFailed):
            commit(producer, output_of(b"1"))
        producer.abort()
        assert time.monotonic() - started_at < 5.0


class Place:
    """A group of its own on a real Kafka, with topics "in" and "out"."""

    def __init__(self, settings: Settings) -> None:
        self.config = client_config(settings)
        self.bootstrap = settings.broker
        self.group = settings.group_id
        self.source, self.target = f"{settings.topic_prefix}in", f"{settings.topic_prefix}out"
        create_topic(self.bootstrap, self.source)
        create_topic(self.bootstrap, self.target)

    def commit(self, producer: TransactionalProducer, value: bytes, position: int, metadata: bytes) -> None:
        producer.begin()
        producer.produce(output_of(value, topic=self.target))
        producer.commit({(self.source, 0): position}, metadata)

    @contextlib.contextmanager
    def member(self) -> Iterator[Consumer]:
        """Join the group and stay until the end of the block."""
        consumer = Consumer(
            self.config | {"group.id": self.group, "session.timeout.ms": 6000, "heartbeat.interval.ms": 200}
        )
        try:
            consumer.subscribe([self.source])
            wait_until(
                lambda: consumer.poll(0.1) or consumer.assignment(), timeout=20.0, what="an assignment"
            )
            yield consumer
        finally:
            consumer.close()

    def metadata(self, generation: int, member: Consumer) -> bytes:
        return encode_group_metadata(self.group, generation, member.memberid())

    @property
    def values(self) -> list[bytes | None]:
        """What a read_committed reader sees once the markers of ended transactions are written.

        A commit returns before they are; an open transaction is not waited for.
        """

        def settled() -> bool:
            ends = [
                end_offsets(self.bootstrap, [self.target], committed=committed) for committed in (True, False)
            ]
            return ends[0] == ends[1]

        with contextlib.suppress(AssertionError):
            wait_until(settled, timeout=5.0, what="the markers of ended transactions")
        return [record.value for record in read_all(self.bootstrap, self.target)]

    @property
    def position(self) -> int | None:
        return committed_offsets(self.bootstrap, self.group, [self.source]).get((self.source, 0))


@pytest.fixture
def place(settings: Settings) -> Place:
    return Place(settings)


@pytest.mark.kafka
def test_records_and_offsets_come_together(place: Place) -> None:
    producer = started(place.config, place.group)
    with place.member() as member:
        assert member.consumer_group_metadata() == place.metadata(1, member), "the layout after a join"
        place.commit(producer, b"1", 7, place.metadata(1, member))
        assert (place.values, place.position) == ([b"1"], 7)
        (record,) = read_all(place.bootstrap, place.target)
        assert (record.key, record.timestamp) == (b"key", 1_700_000_000_000)


@pytest.mark.kafka
def test_an_abort_leaves_nothing_to_be_seen(place: Place) -> None:
    producer = started(place.config, place.group)
    producer.begin()
    producer.produce(output_of(b"1", topic=place.target))
    producer.flush()
    producer.abort()
    assert place.values == []
    assert len(read_all(place.bootstrap, place.target, committed=False)) == 1


@pytest.mark.kafka
def test_a_second_producer_fences_the_first(place: Place) -> None:
    first = started(place.config, place.group)
    first.begin()
    first.produce(output_of(b"first", topic=place.target))
    first.flush()
    second = started(place.config, place.group)
    with place.member() as member:
        with pytest.raises(ProducerFenced) as caught:
            first.commit({(place.source, 0): 1}, place.metadata(1, member))
        first.abort()
        assert place.group not in str(caught.value)
        assert (place.values, place.position) == ([], None)
        place.commit(second, b"second", 1, place.metadata(1, member))
    assert (place.values, place.position) == ([b"second"], 1)


@pytest.mark.kafka
def test_a_generation_that_is_over_cannot_commit(place: Place) -> None:
    producer = started(place.config, place.group)
    with place.member() as member:
        old = place.metadata(1, member)
        place.commit(producer, b"1", 1, old)
    with pytest.raises(ProducerFenced, match="UNKNOWN_MEMBER_ID"):
        place.commit(producer, b"2", 2, old)
    producer.abort()
    with place.member() as member:
        with pytest.raises(ProducerFenced, match="ILLEGAL_GENERATION") as caught:
            place.commit(producer, b"3", 3, place.metadata(1, member))
        producer.abort()
        assert member.memberid() not in str(caught.value)
    assert (place.values, place.position) == ([b"1"], 1)


@pytest.mark.kafka
def test_batches_and_largest_records_fit_a_topic_with_a_low_limit(settings: Settings) -> None:
    limit = 16_384
    target, source = f"{settings.topic_prefix}low", f"{settings.topic_prefix}in"
    create_topic(settings.broker, target, max_message_bytes=str(limit))
    create_topic(settings.broker, source)
    producer = started(client_config(settings), settings.group_id, max_batch_bytes=limit)
    # The router lets a record through when its key and value leave 128 bytes for Kafka's own.
    largest = os.urandom(limit - 128 - len(b"key"))
    values = [os.urandom(1000) for _ in range(200)] + [largest] * 3 + [b"small"]
    producer.begin()
    producer.produce(output_of(*values, topic=target))
    producer.commit({(source, 0): 1}, encode_group_metadata(settings.group_id, -1, ""))
    assert [record.value for record in read_all(settings.broker, target)] == values


@pytest.mark.kafka
def test_a_record_that_fits_its_topic_only_when_compressed_is_written(settings: Settings) -> None:
    # A raw topic takes such records, by the size of the compressed batch; one must not stop the worker.
    target, source = f"{settings.topic_prefix}dead", f"{settings.topic_prefix}in"
    create_topic(settings.broker, target, max_message_bytes=str(1 << 20))
    create_topic(settings.broker, source)
    producer = started(client_config(settings), settings.group_id)
    value = b"x" * (5 << 20)
    producer.begin()
    producer.produce(output_of(value, topic=target))
    producer.commit({(source, 0): 1}, encode_group_metadata(settings.group_id, -1, ""))
    assert [record.value for record in read_all(settings.broker, target)] == [value]

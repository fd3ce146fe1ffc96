import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from app.kafka import client_config
from app.settings import Settings
from app.stream import offsets
from app.stream.errors import OffsetBeyondEnd, StateReplaced, TakeOverFailed
from app.stream.group_metadata import encode_group_metadata
from app.stream.offsets import StableOffsets
from app.stream.producer import TransactionalProducer
from tests.support.mock_cluster import ApiKey, MockCluster
from tests.support.records import create_topic, produce


class Source:
    """An input topic of 20 records in partition 0, none in partition 1, and a group that reads it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topic = f"{settings.topic_prefix}in"
        create_topic(settings.broker, self.topic, partitions=2)
        produce(settings.broker, self.topic, [b"%d" % number for number in range(20)], partition=0)

    def commit(self, offset: int) -> None:
        consumer = Consumer(client_config(self.settings, group_id=self.settings.group_id))
        try:
            consumer.commit(offsets=[TopicPartition(self.topic, 0, offset)], asynchronous=False)
        finally:
            consumer.close()

    def delete_before(self, offset: int) -> None:
        """Do what retention does."""
        admin = AdminClient(client_config(self.settings))
        for future in admin.delete_records([TopicPartition(self.topic, 0, offset)]).values():
            future.result(10.0)

    @property
    def position(self) -> int:
        stable = StableOffsets(client_config(self.settings), self.settings.group_id)
        return stable.positions([(self.topic, 0)])[self.topic, 0]


@pytest.fixture
def source(settings: Settings) -> Source:
    return Source(settings)


def test_without_a_commit_from_the_beginning(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    stable = StableOffsets(client_config(source.settings), source.settings.group_id)
    assert stable.positions([(source.topic, 0), (source.topic, 1)]) == {
        (source.topic, 0): 0,
        (source.topic, 1): 0,
    }
    assert not caplog.records


def test_nothing_assigned_asks_nobody() -> None:
    assert StableOffsets({"bootstrap.servers": "127.0.0.1:1"}, "group").positions([]) == {}


@pytest.mark.parametrize("offset", [0, 7, 19, 20])
def test_from_the_commit(source: Source, offset: int) -> None:
    source.commit(offset)
    assert source.position == offset


def test_a_commit_beyond_the_end_is_refused(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsets, "_LOOK_TIMEOUT", 1.0)
    source.commit(21)
    with pytest.raises(OffsetBeyondEnd, match=r"offset 21 of .* lies beyond its end") as caught:
        _ = source.position
    assert "reset" in (caught.value.hint or "")


def test_a_broker_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsets, "_TIMEOUT", 0.3)
    stable = StableOffsets({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, "group")
    with pytest.raises(TakeOverFailed, match="could not be read"):
        stable.positions([("in", 0)])


@pytest.mark.kafka
def test_records_deleted_unread_are_told(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    source.delete_before(5)
    assert source.position == 5
    source.commit(6)
    assert source.position == 6
    assert not caplog.records
    source.delete_before(10)
    with caplog.at_level(logging.ERROR):
        assert source.position == 10
    assert "4 records" in caplog.text


@pytest.mark.kafka
@pytest.mark.parametrize(("ends", "expected"), [("end", 15), ("abort", 7)])
def test_an_open_transaction_is_waited_for(source: Source, ends: str, expected: int) -> None:
    source.commit(7)
    settings = source.settings
    producer = TransactionalProducer(client_config(settings), settings.group_id, max_message_bytes=1 << 20)
    producer.init()
    producer.begin()
    producer.send_offsets({(source.topic, 0): 15}, encode_group_metadata(settings.group_id, -1, ""))
    with ThreadPoolExecutor(1) as executor:
        asked = executor.submit(lambda: source.position)
        time.sleep(1.0)
        assert not asked.done()
        getattr(producer, ends)()
        assert asked.result(10.0) == expected


@pytest.mark.kafka  # the embedded broker keeps nothing beside an offset
def test_offsets_that_rest_on_other_state_are_refused(source: Source) -> None:
    """Until somebody sets them by hand, which leaves them without a tag."""
    settings = source.settings
    topic, group = source.topic, settings.group_id
    producer = TransactionalProducer(client_config(settings), group, tags={topic: "log one"})
    producer.init()
    producer.begin()
    producer.produce_one(topic, b"record", None, 1)
    producer.commit({(topic, 0): 15}, encode_group_metadata(group, -1, ""))

    def position(**tags: str) -> int:
        stable = StableOffsets(client_config(settings), group, tags=tags and {topic: tags["log"]})
        return stable.positions([(topic, 0)])[topic, 0]

    assert position() == position(log="log one") == position(log="") == 15
    with pytest.raises(StateReplaced, match=r"log one, but there is log two: .*rows are missing") as caught:
        position(log="log two")
    assert "mastery state rebuild" in (caught.value.hint or "")
    source.commit(3)
    assert position(log="log two") == 3


@pytest.mark.parametrize(
    "codes", [[KafkaError.NOT_COORDINATOR] * 3, [KafkaError.COORDINATOR_LOAD_IN_PROGRESS]]
)
def test_a_coordinator_on_the_move_is_asked_again(codes: list[int]) -> None:
    with MockCluster() as cluster:
        cluster.create_topic("in")
        cluster.fail(ApiKey.OFFSET_FETCH, *codes)
        stable = StableOffsets({"bootstrap.servers": cluster.bootstrap, "log_level": 0}, "group")
        assert stable.positions([("in", 0)]) == {("in", 0): 0}


def test_a_missing_permission_is_told_at_once() -> None:
    with MockCluster() as cluster:
        cluster.create_topic("in")
        cluster.fail(ApiKey.OFFSET_FETCH, *[KafkaError.GROUP_AUTHORIZATION_FAILED] * 3)
        stable = StableOffsets({"bootstrap.servers": cluster.bootstrap, "log_level": 0}, "group")
        with pytest.raises(TakeOverFailed, match="GROUP_AUTHORIZATION_FAILED"):
            stable.positions([("in", 0)])

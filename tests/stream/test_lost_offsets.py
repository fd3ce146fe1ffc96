from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from app.kafka import client_config
from app.settings import Settings
from app.stream import lost_offsets
from app.stream.errors import OffsetsForgotten
from app.stream.offsets import StableOffsets
from tests.support.records import create_topic, produce


class Group:
    """A group with one input of two partitions and two outputs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.input, self.output, self.other = (
            f"{settings.topic_prefix}{name}" for name in ("in", "out", "other")
        )
        for topic in (self.input, self.output, self.other):
            create_topic(settings.broker, topic, partitions=2)
        produce(settings.broker, self.input, [b"raw"] * 3, partition=0)

    def start(self, partition: int = 0) -> int:
        stable = StableOffsets(
            client_config(self.settings),
            self.settings.group_id,
            inputs=[self.input],
            outputs=[self.other, self.output, f"{self.settings.topic_prefix}not-made"],
        )
        return stable.positions([(self.input, partition)])[self.input, partition]

    def commit(self, offset: int, partition: int) -> None:
        consumer = Consumer(client_config(self.settings, group_id=self.settings.group_id))
        try:
            consumer.commit(offsets=[TopicPartition(self.input, partition, offset)], asynchronous=False)
        finally:
            consumer.close()


@pytest.fixture
def group(settings: Settings) -> Group:
    return Group(settings)


@pytest.fixture
def writer(group: Group) -> Producer:
    """A transaction of the output, open."""
    producer = Producer(client_config(group.settings, **{"transactional.id": group.settings.group_id}))
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(group.output, b"typed", partition=1)
    producer.flush(10.0)
    return producer


def test_a_group_that_has_written_does_not_start_at_the_beginning(group: Group) -> None:
    produce(group.settings.broker, group.output, [b"typed"], partition=1)
    with pytest.raises(OffsetsForgotten) as caught:
        group.start()
    assert f"{group.output} holds records" in str(caught.value)
    assert f"--group {group.settings.group_id} --topic {group.input} --reset-offsets" in (
        caught.value.hint or ""
    )


def test_the_way_on_is_a_commit(group: Group) -> None:
    produce(group.settings.broker, group.output, [b"typed"], partition=1)
    group.commit(0, 0)
    assert group.start() == 0


def test_a_partition_of_its_own_without_a_commit_is_no_loss(group: Group) -> None:
    produce(group.settings.broker, group.output, [b"typed"], partition=1)
    group.commit(2, 0)
    assert group.start(partition=1) == 0


def test_a_first_start(group: Group) -> None:
    assert group.start() == 0


@pytest.mark.kafka
def test_what_a_killed_first_worker_left_is_no_work(group: Group, writer: Producer) -> None:
    writer.abort_transaction()
    assert group.start() == 0


@pytest.mark.kafka
def test_the_first_checkpoint_of_another_worker(
    group: Group, writer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = Consumer(client_config(group.settings, group_id=group.settings.group_id))
    offsets = [TopicPartition(group.input, 1, 1)]
    metadata = consumer.consumer_group_metadata()
    consumer.close()
    look = lost_offsets._written

    def look_after_the_commit(*arguments: Any) -> str | None:
        writer.send_offsets_to_transaction(offsets, metadata)
        writer.commit_transaction()
        found = look(*arguments)
        assert found == group.output
        return found

    monkeypatch.setattr(lost_offsets, "_written", look_after_the_commit)
    assert group.start() == 0

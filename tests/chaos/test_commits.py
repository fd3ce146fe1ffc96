"""The history of a group's commits, as the broker's own topic tells it."""

import struct

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.chaos.commits import Commit, commits_of, positions, read_commits, went_back
from tests.kafka.server import KafkaServer
from tests.support.records import Record, create_topic
from tests.support.waiting import wait_until


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _record(key: bytes, value: bytes | None) -> Record:
    return Record("__consumer_offsets", 0, 0, key, value, (), 0)


def _offset(group: str, partition: int, offset: int, *, version: int = 3) -> Record:
    key = struct.pack(">h", 1) + _text(group) + _text("raw") + struct.pack(">i", partition)
    return _record(key, struct.pack(">hq", version, offset) + b"rest")


def _group(group: str, generation: int, *, version: int = 3) -> Record:
    kind = _text("consumer") if version < 4 else bytes([len("consumer") + 1]) + b"consumer"
    value = struct.pack(">h", version) + kind + struct.pack(">i", generation) + b"rest"
    return _record(struct.pack(">h", 2) + _text(group), value)


@pytest.mark.parametrize("version", [3, 4])
def test_commits_have_the_generation_they_were_made_in(version: int) -> None:
    history = [
        _offset("ours", 0, 5, version=version),
        _group("ours", 1, version=version),
        _offset("ours", 0, 7, version=version),
        _group("other", 9, version=version),
        _offset("other", 0, 3, version=version),
        _record(_offset("ours", 0, 0).key or b"", None),
        _group("ours", 2, version=version),
        _offset("ours", 1, 2, version=version),
    ]
    assert list(commits_of(history, "ours")) == [
        Commit("raw", 0, 5, -1),
        Commit("raw", 0, 7, 1),
        Commit("raw", 1, 2, 2),
    ]


def test_an_offset_goes_back_within_a_generation_or_not() -> None:
    history = [Commit("raw", 0, 5, 1), Commit("raw", 1, 3, 1), Commit("raw", 0, 5, 1), Commit("raw", 0, 4, 2)]
    assert went_back(history) == []
    assert went_back([*history, Commit("raw", 0, 3, 2)]) == ["('raw', 0) from 4 to 3 in generation 2"]


@pytest.mark.kafka
def test_a_real_brokers_history(kafka: KafkaServer, topic_prefix: str) -> None:
    """Those of a transaction count when it is committed, and those of an aborted one never."""
    topic, group = f"{topic_prefix}raw", f"{topic_prefix}group"
    create_topic(kafka.bootstrap, topic)
    options = {"bootstrap.servers": kafka.bootstrap, "log_level": 0}
    consumer = Consumer(options | {"group.id": group})
    producer = Producer(options | {"transactional.id": group})
    before = positions(kafka.bootstrap)
    producer.init_transactions()
    for offset, end in ((4, producer.commit_transaction), (6, producer.abort_transaction)):
        producer.begin_transaction()
        place = [TopicPartition(topic, 0, offset)]
        producer.send_offsets_to_transaction(place, consumer.consumer_group_metadata())
        end()
    consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    consumer.close()

    def found() -> list[tuple[str, int, int]]:
        commits = read_commits(kafka.bootstrap, group, before)
        return [(one.topic, one.partition, one.offset) for one in commits]

    # The broker writes the mark of the abort a moment later; what lies behind it is not stable until then.
    wait_until(lambda: len(found()) > 1, timeout=10.0, what="two commits", detail=found)
    assert found() == [(topic, 0, 4), (topic, 0, 5)]

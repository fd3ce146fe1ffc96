"""The harness itself: faults are what they claim to be."""

import time

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from tests.kafka.server import KafkaServer
from tests.support.records import committed_offsets, create_topic, end_offsets, produce, read_all

pytestmark = pytest.mark.kafka


def _values(server: KafkaServer, topic: str) -> list[bytes | None]:
    return [record.value for record in read_all(server.bootstrap, topic)]


def test_data_and_address_survive_a_kill(kafka: KafkaServer, topic_prefix: str) -> None:
    topic, address = f"{topic_prefix}things", kafka.bootstrap
    create_topic(address, topic)
    produce(address, topic, [b"1"])
    kafka.kill()
    assert not kafka.running
    kafka.start()
    assert kafka.bootstrap == address
    assert _values(kafka, topic) == [b"1"]


def test_a_frozen_broker_answers_nothing_until_it_is_thawed(kafka: KafkaServer, topic_prefix: str) -> None:
    topic = f"{topic_prefix}things"
    create_topic(kafka.bootstrap, topic)
    kafka.freeze()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0}).list_topics(timeout=1.0)
    assert kafka.running
    kafka.thaw()
    kafka.wait_ready()
    produce(kafka.bootstrap, topic, [b"1"])
    assert _values(kafka, topic) == [b"1"]


def test_read_all_sees_what_a_read_committed_reader_sees(kafka: KafkaServer, topic_prefix: str) -> None:
    topic = f"{topic_prefix}things"
    create_topic(kafka.bootstrap, topic)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic_prefix})
    producer.init_transactions(10.0)
    for value, commit in ((b"yes", True), (b"no", False), (b"also", True)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(10.0)
        if commit:
            producer.commit_transaction(10.0)
        else:
            producer.abort_transaction(10.0)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(10.0)
    assert _values(kafka, topic) == [b"yes", b"also"]
    everything = read_all(kafka.bootstrap, topic, committed=False)
    assert [record.value for record in everything] == [b"yes", b"no", b"also", b"open"]
    # Three markers: offsets that no record has.
    assert end_offsets(kafka.bootstrap, [topic]) == {(topic, 0): 7}
    assert end_offsets(kafka.bootstrap, [topic], committed=True) == {(topic, 0): 6}
    producer.abort_transaction(10.0)


def test_committed_offsets_of_an_unknown_group_are_empty(kafka: KafkaServer) -> None:
    assert committed_offsets(kafka.bootstrap, "nobody") == {}


def test_a_server_that_cannot_start_says_why() -> None:
    server = KafkaServer(properties={"log.retention.ms": "not a number"})
    started = time.monotonic()
    with pytest.raises((AssertionError, RuntimeError), match="not a number"):
        server.start()
    server.close()
    assert time.monotonic() - started < 30

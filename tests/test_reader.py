"""Reading whole topics."""

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from app.kafka import BrokerUnreachable, admin_client, producer_config
from app.reader import TopicMissing, TopicReader, find_topic, topic_partitions


@pytest.fixture
def topic(settings):
    make_topic(settings, settings.raw_topic_name, 4)
    return settings.raw_topic_name


def make_topic(settings, name, partitions):
    admin = admin_client(settings)
    for future in admin.create_topics([NewTopic(name, partitions)]).values():
        future.result()


def read_for_ever(reader):
    while True:
        reader.read(0.5)


def read_all(reader):
    records = []
    while not reader.at_end:
        records += reader.read(0.5)
    return records


def test_everything_that_was_there_and_then_what_comes(settings, topic):
    producer = Producer(producer_config(settings))
    for number in range(1000):
        producer.produce(
            topic, b"%d" % number, b"k%d" % number, headers=[("h", b"v"), ("n", None)], timestamp=number
        )
    producer.flush(10)
    with TopicReader.whole(settings, [topic], topic_partitions(settings)) as reader:
        records = read_all(reader)
        assert sorted(int(record.value) for record in records) == list(range(1000))
        some = next(record for record in records if record.value == b"7")
        assert (some.topic, some.key, some.timestamp) == (topic, b"k7", 7)
        assert some.headers == (("h", b"v"), ("n", None))
        assert reader.read(0.1) == []
        producer.produce(topic, b"another")
        producer.flush(10)
        later = []
        while not later:
            later = reader.read(1)
        assert [record.value for record in later] == [b"another"]


def test_from_an_offset(settings, topic):
    producer = Producer(producer_config(settings))
    for number in range(5):
        producer.produce(topic, b"%d" % number, partition=2)
    producer.flush(10)
    with TopicReader(settings, {(topic, 2): 3}) as reader:
        assert [record.value for record in read_all(reader)] == [b"3", b"4"]


def test_no_broker(settings, monkeypatch):
    monkeypatch.setattr("app.reader.REQUEST_TIMEOUT", 1.0)
    nowhere = settings.model_copy(update={"broker": "127.0.0.1:1"})
    with pytest.raises(BrokerUnreachable):
        topic_partitions(nowhere)
    with pytest.raises(BrokerUnreachable):
        TopicReader(nowhere, {("x", 0): 0})


def test_a_broker_that_goes_away_does_not_leave_a_reader_waiting(settings, monkeypatch):
    from app.embedded.broker import EmbeddedBroker

    monkeypatch.setattr("app.reader.REQUEST_TIMEOUT", 1.0)
    with EmbeddedBroker(port=0) as broker:
        there = settings.model_copy(update={"broker": broker.bootstrap})
        make_topic(there, "t", 1)
        with TopicReader(there, {("t", 0): 0}) as reader:
            read_all(reader)
            broker.stop()
            with pytest.raises(BrokerUnreachable):
                read_for_ever(reader)


def test_topics_may_be_named_without_their_prefix(settings):
    prefix = settings.topic_prefix
    topics = [f"{prefix}rubric_assessed", "live-events", "elsewhere.rubric_asessed"]
    assert find_topic(settings, "rubric_assessed", topics) == f"{prefix}rubric_assessed"
    assert find_topic(settings, "live-events", topics) == "live-events"
    with pytest.raises(TopicMissing) as caught:
        find_topic(settings, "rubric_asessed", topics)
    assert caught.value.hint == "did you mean rubric_assessed?"

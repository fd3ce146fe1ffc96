"""What is left to do, seen from the broker."""

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from app.backlog import PartitionBacklog, read_backlog
from app.kafka import BrokerUnreachable, admin_client, consumer_config, producer_config
from app.settings import load_settings
from tests.support.mock_cluster import ApiKey, MockCluster
from tests.support.waiting import wait_until


@pytest.fixture
def topic(settings):
    admin = admin_client(settings)
    for future in admin.create_topics([NewTopic(settings.raw_topic_name, 3)]).values():
        future.result()
    return settings.raw_topic_name


def test_each_partition_by_itself(settings, topic):
    producer = Producer(producer_config(settings))
    for partition, count in ((0, 7), (1, 4)):
        for _ in range(count):
            producer.produce(topic, b"{}", partition=partition)
    producer.flush(10)
    consumer = Consumer(consumer_config(settings, group_id=settings.group_id))
    consumer.commit(offsets=[TopicPartition(topic, 0, 5), TopicPartition(topic, 1, 4)], asynchronous=False)
    assert read_backlog(settings, [(topic, partition) for partition in (2, 1, 0)]) == [
        PartitionBacklog(topic, 0, committed=5, end=7, lag=2, idle=False),
        PartitionBacklog(topic, 1, committed=4, end=4, lag=0, idle=True),
        PartitionBacklog(topic, 2, committed=None, end=0, lag=0, idle=True),
    ]


def test_looking_changes_nothing(settings, topic):
    producer = Producer(producer_config(settings))
    producer.produce(topic, b"{}", partition=0)
    producer.flush(10)
    first = read_backlog(settings, [(topic, 0)])
    assert first == read_backlog(settings, [(topic, 0)])
    assert first[0].committed is None


def test_no_broker(settings, monkeypatch):
    monkeypatch.setattr("app.backlog.REQUEST_TIMEOUT", 1.0)
    with pytest.raises(BrokerUnreachable):
        read_backlog(settings.model_copy(update={"broker": "127.0.0.1:1"}), [("x", 0)])


@pytest.mark.kafka
def test_an_open_transaction_is_nothing_to_do_yet(settings, topic):
    producer = Producer(producer_config(settings, transactional_id=f"{settings.group_id}.t"))
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topic, b"{}", partition=0)
    producer.flush(10)
    (open_transaction,) = read_backlog(settings, [(topic, 0)])
    assert (open_transaction.idle, open_transaction.lag) == (True, 0)
    producer.commit_transaction(10)
    # The commit returns before its marker is written.
    wait_until(lambda: read_backlog(settings, [(topic, 0)])[0].end == 2, timeout=5, what="the marker")
    (committed,) = read_backlog(settings, [(topic, 0)])
    assert (committed.idle, committed.end) == (False, 2)


@pytest.mark.kafka
def test_results_of_an_open_transaction_are_left_to_do(settings):
    results = settings.result_topics[0]
    admin = admin_client(settings)
    for future in admin.create_topics([NewTopic(results, 1)]).values():
        future.result()
    producer = Producer(producer_config(settings, transactional_id=f"{settings.group_id}.t"))
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(results, b"{}", partition=0)
    producer.flush(10)
    (entry,) = read_backlog(settings, [(results, 0)])
    assert (entry.idle, entry.lag) == (False, 1)
    producer.abort_transaction(10)
    wait_until(lambda: read_backlog(settings, [(results, 0)])[0].idle, timeout=5, what="the marker")


@pytest.mark.parametrize("code", [KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_a_coordinator_on_the_move_is_asked_again(code):
    with MockCluster() as cluster:
        cluster.create_topic("in")
        cluster.fail(ApiKey.OFFSET_FETCH, code, code)
        assert read_backlog(load_settings(broker=cluster.bootstrap), [("in", 0)]) == [
            PartitionBacklog("in", 0, committed=None, end=0, lag=0, idle=True)
        ]

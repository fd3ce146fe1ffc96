import json
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from app.kafka import consumer_config, producer_config


@pytest.fixture
def commit(some_topics):
    """Commit positions of the raw topic's partitions for the workers' group."""

    def write(positions):
        consumer = Consumer(consumer_config(some_topics, group_id=some_topics.group_id))
        raw = some_topics.raw_topic_name
        consumer.commit(offsets=[TopicPartition(raw, p, o) for p, o in positions.items()], asynchronous=False)
        consumer.close()

    return write


def test_nothing_was_ever_sent(some_topics, mastery):
    done = mastery("status", "--json", "--wait-idle", 0)
    assert done.status == 0
    state = json.loads(done.out)
    assert (state["group"], state["idle"], state["lag"]) == (some_topics.group_id, True, 0)
    assert [entry["committed"] for entry in state["partitions"]] == [None] * 4


def test_what_is_left_of_each_partition(some_topics, mastery, produce, commit):
    produce(some_topics.raw_topic_name, [(None, b"{}", [])] * 5, partition=1)
    produce(some_topics.raw_topic_name, [(None, b"{}", [])] * 3, partition=2)
    commit({1: 2, 2: 3})
    state = json.loads(mastery("status", "--json").out)
    assert [(p["committed"], p["end"], p["lag"], p["idle"]) for p in state["partitions"]] == [
        (None, 0, 0, True),
        (2, 5, 3, False),
        (3, 3, 0, True),
        (None, 0, 0, True),
    ]
    assert state["lag"] == 3
    table = mastery("status").out.splitlines()
    assert table[2].split() == [some_topics.raw_topic_name, "1", "2", "5", "3", "-"]
    assert table[-1].endswith("up to 3 records left")


def test_waiting_ends_when_it_is_done_and_not_before(some_topics, mastery, produce, commit):
    produce(some_topics.raw_topic_name, [(None, b"{}", [])], partition=0)
    started = time.monotonic()
    done = mastery("status", "--wait-idle", 1)
    assert 1 <= time.monotonic() - started < 5
    assert done.status == 1
    assert done.err == (
        "error: after 1 s, up to 1 records in 1 partitions are still to be processed\n"
        "  -> no worker runs: start one with `mastery worker`\n"
    )
    commit({0: 1})
    assert mastery("status", "--wait-idle", 30).status == 0


@pytest.mark.kafka
def test_who_works_on_it(some_topics, mastery):
    member = Consumer(consumer_config(some_topics, group_id=some_topics.group_id, session_timeout_ms=6000))
    member.subscribe([some_topics.raw_topic_name])
    try:
        deadline = time.monotonic() + 20
        while not member.assignment() and time.monotonic() < deadline:
            member.poll(0.1)
        state = json.loads(mastery("status", "--json").out)
    finally:
        member.close()
    assert state["state"] == "stable"
    assert all(entry["member"] for entry in state["partitions"])


def test_no_topic(mastery, settings):
    done = mastery("status")
    assert done.status == 1
    assert f"has no topic {settings.raw_topic_name}" in done.err


@pytest.mark.kafka
def test_markers_and_aborted_records_are_not_left_to_do(some_topics, mastery, produce, commit):
    raw = some_topics.raw_topic_name
    producer = Producer(producer_config(some_topics, transactional_id=f"{some_topics.group_id}.t"))
    producer.init_transactions(10)
    for finish in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(raw, b"{}", partition=0)
        producer.flush(10)
        finish(10)
    # 0 record, 1 marker, 2 aborted record, 3 marker
    commit({0: 0})
    assert mastery("status", "--wait-idle", 0).status == 1
    commit({0: 1})
    done = mastery("status", "--wait-idle", 0, "--json")
    assert done.status == 0
    first = json.loads(done.out)["partitions"][0]
    assert (first["committed"], first["end"], first["lag"], first["idle"]) == (1, 4, 0, True)
    produce(raw, [(None, b"{}", [])], partition=0)
    assert mastery("status", "--wait-idle", 0).status == 1

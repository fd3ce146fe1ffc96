"""What is read of the typed topics when somebody asks, from a broker."""

import asyncio

import pytest
from confluent_kafka import Producer

from app.kafka import producer_config
from app.topics import TopicAdmin, apply, load_catalogue
from app.web.local.history import Histories
from app.web.local.last_records import LastRecords
from app.web.local.offsets import topic_spans
from tests.definitions.support import framed, schema_by_id
from tests.mastery.events import ACCOUNT, at, outcome

#: An idempotent producer asks for its id first, half a second long.
QUICK = {"enable.idempotence": False}


@pytest.fixture
def made(settings):
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


def send(settings, *events):
    """Events as the router writes them, one second after the other."""
    producer = Producer(producer_config(settings) | QUICK)
    for number, event in enumerate(events):
        topic = settings.typed_topic(event["metadata"]["event_name"])
        body = event["body"]
        key = f"{event['metadata']['root_account_uuid']}:{body['learning_outcome_id']}"
        producer.produce(topic, framed(event), key.encode(), timestamp=(number + 1) * 1000)
    producer.flush(10)


def history(settings, outcome_id="7"):
    return asyncio.run(Histories(settings, schema_by_id).of(ACCOUNT, outcome_id))


def test_the_versions_of_an_outcome_the_newest_first(made):
    first = outcome("highest", title="First", description="<p>one</p>", ratings=[(4.0, "top")])
    later = outcome("latest", updated=50, title="Later", description="<p>two</p>", mastery=4.0)
    send(
        made,
        later,
        first,
        outcome("average", updated=20, title="Between"),
        later,
        outcome("highest", learning_outcome_id="8"),
    )
    found = history(made)
    assert [(one.title, one.event, one.in_force) for one in found.versions] == [
        ("Later", "learning_outcome_updated", True),
        ("Between", "learning_outcome_updated", False),
        ("First", "learning_outcome_created", False),
    ]
    assert found.versions[0].mastery_points == 4.0
    assert found.versions[2].levels == ((4.0, "top"),)
    assert (found.description, found.complete) == ("<p>two</p>", True)
    assert history(made, "9") == ((), None, True)


def test_an_outcome_whose_events_write_a_global_id(made):
    send(made, outcome("highest", title="Global", learning_outcome_id="21070000000000007"))
    assert [one.title for one in history(made).versions] == ["Global"]


def test_the_last_events_of_the_partitions_that_a_worker_has(made):
    sent = [outcome("highest", learning_outcome_id=str(number), sent=number) for number in range(20)]
    send(made, *sent)
    topics = {made.typed_topic("learning_outcome_created"): "learning_outcome_created"}
    spans = topic_spans(made, list(topics))

    def last(partitions):
        return asyncio.run(LastRecords(made, topics, lambda: spans, lambda: partitions).newest())

    every = last(range(made.partitions))
    assert [one.event_time for one in every] == [at(19 - place).timestamp() for place in range(12)]
    assert every[0].key == f"{ACCOUNT}:19"
    assert {one.partition for one in last([0])} == {0}
    assert last([]) == ()

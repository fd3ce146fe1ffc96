"""Sending raw events."""

import pytest
from confluent_kafka.admin import NewTopic

from app import sender
from app.embedded.broker import EmbeddedBroker
from app.kafka import BrokerFailure, BrokerUnreachable, admin_client
from app.sender import EventSender, EventTooLarge
from tests.support.waiting import wait_until


@pytest.fixture
def topic(settings):
    admin = admin_client(settings)
    for future in admin.create_topics([NewTopic(settings.raw_topic_name, 2)]).values():
        future.result()
    return settings.raw_topic_name


def test_what_is_accepted_is_counted(settings, topic):
    events = EventSender(settings, topic)
    for number in range(20_000):
        events.send(b'{"n": %d}' % number)
    events.finish()
    assert events.accepted == 20_000


def test_an_event_that_no_topic_takes_is_refused_and_the_others_are_not(settings, topic):
    events = EventSender(settings, topic)
    events.send(b"{}")
    with pytest.raises(EventTooLarge) as caught:
        events.send(b"x" * (settings.max_message_bytes + 2 * 1024 * 1024))
    assert "MASTERY_MAX_MESSAGE_BYTES" in str(caught.value.hint)
    # It waits some seconds at most, which may not be enough for the first record.
    wait_until(lambda: events.settle() or events.accepted, timeout=10.0, what="the other one to be accepted")
    assert events.accepted == 1


def test_a_broker_that_goes_away_is_told_and_what_it_had_is_counted(settings, monkeypatch):
    monkeypatch.setattr(sender, "DELIVERY_TIMEOUT_MS", 1_500)
    with EmbeddedBroker(port=0) as broker:
        there = settings.model_copy(update={"broker": broker.bootstrap})
        admin = admin_client(there)
        for future in admin.create_topics([NewTopic("t", 1)]).values():
            future.result()
        events = EventSender(there, "t")
        events.send(b"{}")
        events.finish()
        broker.stop()
        events.send(b"{}")
        with pytest.raises(BrokerFailure) as caught:
            events.finish()
    assert type(caught.value) is BrokerUnreachable
    assert events.accepted == 1

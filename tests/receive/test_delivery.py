"""What becomes of events on a broker that is there, that is not, and that fails."""

import random
import time

import pytest

from app.reader import TopicMissing
from app.receive import delivery
from app.receive.delivery import Delivery
from tests.support.records import create_topic, read_all
from tests.support.waiting import wait_until


class Reports(list):
    def __call__(self, outcome):
        self.append(outcome)


def made(settings, patience=5.0, records=100):
    return Delivery(settings, limit=1024 * 1024, records=records, patience=patience)


def ended(deliver, reports, count=1):
    def polled():
        deliver.poll(0.05)
        return len(reports) == count

    wait_until(polled, timeout=30, what="reports")


def test_an_event_is_reported_once_the_broker_has_it(settings):
    create_topic(settings.broker, settings.raw_topic_name)
    deliver, reports = made(settings), Reports()
    assert not deliver.topic_seen
    assert deliver.obstacle is not None
    deliver.look()
    assert deliver.topic_seen
    assert deliver.obstacle is None
    for number in range(10):
        assert deliver.send(b"%d" % number, reports)
    assert deliver.waiting == 10
    assert reports == []
    ended(deliver, reports, 10)
    assert all(outcome.delivered for outcome in reports)
    assert deliver.waiting == 0
    records = read_all(settings.broker, [settings.raw_topic_name])
    assert [record.value for record in records] == [b"%d" % number for number in range(10)]
    assert all(record.timestamp > (time.time() - 60) * 1000 for record in records)


def test_what_the_producer_does_not_take_is_too_large(settings):
    deliver, reports = made(settings), Reports()
    assert deliver.send(b"x" * (settings.max_dead_letter_bytes + 1), reports)
    assert [outcome.too_large for outcome in reports] == [True]
    assert deliver.waiting == 0


def test_a_full_queue_takes_nothing(settings):
    away = settings.model_copy(update={"broker": "127.0.0.1:1"})
    deliver, reports = made(away, patience=1.0, records=0), Reports()
    taken = sum(deliver.send(b"x", reports) for _ in range(1_500))
    assert taken == deliver.waiting == 1_000
    ended(deliver, reports, 1_000)
    assert not any(outcome.delivered for outcome in reports)
    assert "no Kafka broker answers" in reports[0].reason


def test_a_topic_that_is_missing_is_an_error(settings):
    with pytest.raises(TopicMissing):
        made(settings).look()


def test_a_broker_that_is_away_is_looked_for_again(settings):
    deliver = made(settings.model_copy(update={"broker": "127.0.0.1:1"}))
    deliver.look()
    assert not deliver.topic_seen
    assert "no Kafka broker answers" in deliver.obstacle


def test_an_event_that_waits_is_an_obstacle(settings, monkeypatch):
    create_topic(settings.broker, settings.raw_topic_name)
    deliver, reports = made(settings), Reports()
    deliver.look()
    monkeypatch.setattr(delivery, "_LATE", 0.0)
    deliver.send(b"x", reports)
    time.sleep(0.01)
    assert deliver.obstacle == "the broker does not take events"
    ended(deliver, reports)
    assert deliver.obstacle is None
    monkeypatch.setattr(delivery, "_QUIET", 0.0)
    time.sleep(0.01)
    assert deliver.obstacle is not None


@pytest.mark.kafka
def test_what_the_topic_does_not_take_is_too_large(settings):
    create_topic(settings.broker, settings.raw_topic_name, max_message_bytes="1000")
    deliver, reports = made(settings), Reports()
    # A broker holds its limit against what is compressed.
    deliver.send(random.Random(1).randbytes(2_000), reports)
    ended(deliver, reports)
    assert reports[0].too_large
    deliver.send(b"x", reports)
    ended(deliver, reports, 2)
    assert reports[1].delivered

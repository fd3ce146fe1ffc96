"""On a real Kafka that stops and starts: what was answered with 200 is in the raw topic.

RECEIVE_EVENTS=200000 makes it that many, with more of everything: stops, kills, freezes, and receivers that
are ended and killed themselves; `--log-cli-level INFO` shows how it went.
"""

import asyncio
import logging
import os
import random
import threading
import time
from collections import Counter

import pytest

from tests.receive.fakes import SECRET
from tests.receive.process import ReceiverProcess
from tests.receive.queues import LOGIN, left_in, sent
from tests.support.posting import Poster
from tests.support.records import create_topic, read_all
from tests.support.waiting import wait_until

log = logging.getLogger(__name__)

EVENTS = int(os.environ.get("RECEIVE_EVENTS", "8000"))
FILLING = "x" * 900  # as large as Canvas's

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(60 + EVENTS // 50)]


def event(number):
    return b'{"metadata": {"event_name": "proof"}, "body": {"number": %d, "text": "%s"}}' % (
        number,
        FILLING.encode(),
    )


def number_in(value):
    return int(value[value.index(b'"number": ') + 10 :].partition(b",")[0])


def stop_kafka(kafka, receiver, seconds):
    kafka.stop()
    time.sleep(seconds)
    kafka.start()


def kill_kafka(kafka, receiver, seconds):
    kafka.kill()
    time.sleep(seconds)
    kafka.start()


def freeze_kafka(kafka, receiver, seconds):
    kafka.freeze()
    time.sleep(seconds)
    kafka.thaw()


def end_receiver(kafka, receiver, seconds):
    assert receiver.stop() == 0
    receiver.start()


def kill_receiver(kafka, receiver, seconds):
    receiver.kill()
    receiver.start()


def test_what_was_answered_with_200_is_in_the_topic(kafka, settings, tmp_path):
    create_topic(settings.broker, settings.raw_topic_name, partitions=4)
    faults = [(stop_kafka, 0.5), (end_receiver, 0)]
    if EVENTS > 50_000:
        faults = [
            (stop_kafka, 3),
            (kill_kafka, 1),
            (end_receiver, 0),
            (stop_kafka, 20),
            (freeze_kafka, 15),
            (kill_receiver, 0),
            (kill_kafka, 12),
            (end_receiver, 0),
        ]
        random.Random(EVENTS).shuffle(faults)
    with ReceiverProcess(settings, tmp_path, MASTERY_RECEIVE_PATH_SECRET=SECRET) as receiver:
        poster = Poster(receiver.port, f"/events/{SECRET}", event, EVENTS)
        began = time.monotonic()
        posting = threading.Thread(target=asyncio.run, args=(poster.run(),), daemon=True)
        posting.start()
        for index, (fault, seconds) in enumerate(faults, 1):
            wanted = EVENTS * index // (len(faults) + 1)
            wait_until(lambda: len(poster.accepted) >= wanted, timeout=600, what=f"{wanted} events")  # noqa: B023
            assert posting.is_alive(), "nothing was left to lose"
            fault(kafka, receiver, seconds)
            log.info("%.1f s, %d taken: %s %s", time.monotonic() - began, wanted, fault.__name__, seconds)
        posting.join()
        took = time.monotonic() - began
        assert receiver.stop() == 0
        assert SECRET not in receiver.log
    records = read_all(settings.broker, [settings.raw_topic_name])
    times = Counter(number_in(record.value) for record in records)
    log.info("%.1f s, answers %s, %d records of %d events", took, poster.statuses, len(records), len(times))
    assert len(poster.accepted) == EVENTS
    assert poster.accepted <= times.keys()
    # Nothing else is in it, and twice only what was sent twice.
    assert times.keys() <= set(range(EVENTS))
    assert times.total() <= poster.statuses.total()


def test_a_queue_is_emptied_though_kafka_stops_meanwhile(kafka, settings, tmp_path, client, url):
    create_topic(settings.broker, settings.raw_topic_name, partitions=4)
    total = 150
    sent(client, url, [event(number).decode() for number in range(total)])
    variables = {"MASTERY_RECEIVE_SQS_QUEUE": url, "MASTERY_RECEIVE_SQS_VISIBILITY": "10"} | LOGIN
    with ReceiverProcess(settings, tmp_path, "sqs", **variables) as receiver:
        wait_until(lambda: receiver.metric("mastery_receive_events_total") > 20, timeout=30, what="some")
        kafka.stop()
        written = receiver.metric("mastery_receive_events_total")
        assert written < total, "nothing was left to lose"
        # Longer than the queue would hide messages for, were they not kept from others.
        time.sleep(12)
        visible, kept = left_in(client, url)
        assert kept > 0
        assert visible + kept >= total - written
        assert receiver.ready() is False
        kafka.start()
        wait_until(lambda: left_in(client, url) == (0, 0), timeout=60, what="an empty queue", interval=0.5)
        assert receiver.stop() == 0
    found = {number_in(record.value) for record in read_all(settings.broker, [settings.raw_topic_name])}
    assert found == set(range(total))

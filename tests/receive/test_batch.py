"""What becomes of messages when Kafka is slow, away, or does not want them."""

import threading
import time

import pytest

from app.receive import batch
from app.receive.batch import Batch
from app.receive.delivery import Outcome
from app.receive.queue import Message, QueueUnusable
from tests.support.waiting import wait_until

DELIVERED, FAILED, TOO_LARGE = (
    Outcome(delivered=True),
    Outcome(delivered=False),
    Outcome(delivered=False, too_large=True),
)


class FakeDelivery:
    """Takes events; `answer` says what becomes of all that wait."""

    failure = None

    def __init__(self):
        self.waiting = []
        self.sent = []
        self.full = False

    def send(self, event, report):
        if self.full:
            return False
        self.sent.append(event)
        self.waiting.append((event, report))
        return True

    def answer(self, outcome, *events):
        for event, report in list(self.waiting):
            if not events or event in events:
                self.waiting.remove((event, report))
                report(outcome)


class FakeQueue:
    def __init__(self):
        self.deleted = []
        self.hidden = []
        self.undeletable = 0
        self.away = False

    def delete(self, messages):
        if self.away:
            raise QueueUnusable("away")
        if self.undeletable:
            self.undeletable -= 1
            return list(messages)
        self.deleted += [message.event for message in messages]
        return []

    def hide(self, messages, seconds=None):
        if self.away:
            raise QueueUnusable("away")
        self.hidden.append((sorted(message.event for message in messages), seconds))


class Notes:
    def __init__(self):
        self.written = []
        self.undeleted = 0
        self.left = []
        self.complaints = 0

    def done(self, messages, seconds, undeleted):
        self.written += [message.event for message in messages]
        self.undeleted += undeleted

    def leave(self, message):
        self.left.append(message.event)

    def complain(self, error):
        self.complaints += 1


class Scene:
    def __init__(self, *events, keep_every=30.0):
        self.queue, self.delivery, self.notes = FakeQueue(), FakeDelivery(), Notes()
        self.stop = threading.Event()
        messages = [
            Message(id=str(index), handle="h", event=event, deliveries=1, age=0.0)
            for index, event in enumerate(events)
        ]
        self.batch = Batch(self.queue, self.delivery, messages, self.notes)
        self.thread = threading.Thread(target=self.batch.run, args=(self.stop, keep_every), daemon=True)
        self.thread.start()
        wait_until(lambda: len(self.delivery.sent) == len(events), timeout=5, what="events to be sent")

    def end(self):
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(batch, "_AGAIN", 0.02)
    monkeypatch.setattr(batch, "_LAST_WAIT", 0.1)


def test_a_message_is_deleted_once_its_event_is_written_and_not_before():
    scene = Scene(b"a", b"b", b"c")
    time.sleep(0.1)
    assert scene.queue.deleted == []
    scene.delivery.answer(DELIVERED, b"b")
    wait_until(lambda: scene.queue.deleted == [b"b"], timeout=5, what="one to be deleted")
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert sorted(scene.queue.deleted) == sorted(scene.notes.written) == [b"a", b"b", b"c"]


def test_what_the_broker_did_not_take_is_sent_again():
    scene = Scene(b"a", b"b")
    scene.delivery.answer(DELIVERED, b"a")
    scene.delivery.answer(FAILED, b"b")
    wait_until(lambda: scene.delivery.waiting, timeout=5, what="another try")
    assert scene.queue.deleted == [b"a"]
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert scene.delivery.sent == [b"a", b"b", b"b"]
    assert scene.queue.deleted == [b"a", b"b"]


def test_a_full_queue_is_waited_for():
    scene = Scene(b"a")
    scene.delivery.full = True
    scene.delivery.answer(FAILED)
    time.sleep(0.1)
    scene.delivery.full = False
    wait_until(lambda: scene.delivery.waiting, timeout=5, what="another try")
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert scene.queue.deleted == [b"a"]


def test_while_the_broker_is_slow_messages_are_kept_from_others():
    scene = Scene(b"a", b"b", keep_every=0.05)
    scene.delivery.answer(DELIVERED, b"a")
    wait_until(lambda: len(scene.queue.hidden) > 2, timeout=5, what="time-outs")
    assert scene.queue.hidden[-1] == ([b"b"], None)
    scene.delivery.answer(DELIVERED)
    scene.end()


def test_what_is_not_written_at_the_end_is_given_back():
    scene = Scene(b"a", b"b")
    scene.delivery.answer(DELIVERED, b"a")
    scene.stop.set()
    scene.end()
    assert scene.queue.deleted == [b"a"]
    assert scene.queue.hidden == [([b"b"], 0)]


def test_what_is_written_in_the_last_moment_is_deleted():
    scene = Scene(b"a")
    scene.stop.set()
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert (scene.queue.deleted, scene.queue.hidden) == ([b"a"], [])


def test_what_the_topic_does_not_take_is_left_in_the_queue_for_a_while():
    scene = Scene(b"a", b"b")
    scene.delivery.answer(TOO_LARGE, b"a")
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert scene.notes.left == [b"a"]
    assert scene.queue.deleted == [b"b"]
    assert scene.queue.hidden == [([b"a"], 3600)]


@pytest.mark.parametrize(("failures", "undeleted"), [(2, 0), (3, 1)])
def test_deleting_is_tried_again(failures, undeleted):
    scene = Scene(b"a")
    scene.queue.undeletable = failures
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert scene.notes.undeleted == undeleted
    assert scene.notes.written == [b"a"]


def test_a_queue_that_is_away_is_complained_of_and_no_more():
    scene = Scene(b"a")
    scene.queue.away = True
    scene.delivery.answer(DELIVERED)
    scene.end()
    assert (scene.notes.complaints, scene.notes.undeleted) == (1, 1)

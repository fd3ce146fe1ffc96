import asyncio
import json
import time

import pytest
from confluent_kafka import Producer

from app.kafka import producer_config
from app.reader import topic_partitions
from app.replay.letters import letter_at
from app.replay.marks import Mark, digest, mark_key
from app.settings import load_settings
from app.topics import TopicAdmin, apply, load_catalogue
from app.web.local.dead_letters import DeadLetters
from app.web.models.stream import DeadLetterQuery
from app.web.problems import BrokerAway, NotFound
from app.web.security.viewer import LOCAL, Role, Viewer
from tests.replay.letters import why

HOUR = 3600
#: An idempotent producer asks for its id first, half a second long.
QUICK = {"enable.idempotence": False}


@pytest.fixture
def topics(settings):
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


def send(settings, letters):
    """Each of them partition, seconds, kind and value."""
    producer = Producer(producer_config(settings) | QUICK)
    for partition, seconds, kind, value in letters:
        producer.produce(
            settings.dead_letter_topic,
            value,
            b"key",
            partition=partition,
            timestamp=seconds * 1000,
            headers=[("trace", b"\xff1"), *why(kind)],
        )
    producer.flush(10)


def event(name):
    return json.dumps({"metadata": {"event_name": name}, "body": {}}).encode()


def page(letters, **query):
    return asyncio.run(letters.page(DeadLetterQuery(**query)))


def test_list_counts_and_what_comes_later(topics):
    now = int(time.time()) // HOUR * HOUR
    send(
        topics,
        [
            (0, now - HOUR, "not-json", b"{"),
            (1, now, "missing-field", event("rubric_assessed")),
            (2, now + 1, "missing-field", event("learning_outcome_created")),
        ],
    )
    letters = DeadLetters(topics, keep=0, patience=20)
    found = page(letters)
    assert [(one.kind, one.event, one.time) for one in found.letters] == [
        ("missing-field", "learning_outcome_created", now + 1),
        ("missing-field", "rubric_assessed", now),
        ("not-json", None, now - HOUR),
    ]
    assert (found.total, found.by_kind, found.reading, found.listed) == (
        3,
        {"missing-field": 2, "not-json": 1},
        False,
        None,
    )
    assert [(one.hour, one.kind, one.count) for one in found.counts] == [
        (now - HOUR, "not-json", 1),
        (now, "missing-field", 2),
    ]
    assert [one.partition for one in page(letters, event="rubric_assessed").letters] == [1]

    send(topics, [(0, now + 2, "invalid-time", b"{}")])
    # Read from where it was left.
    found = page(letters, limit=1)
    assert [(one.id, one.message, one.source) for one in found.letters] == [
        ("0:1", "invalid-time at body.id", "canvas.live-events[3] 0")
    ]
    assert (found.total, found.next is None) == (4, False)
    assert abs(found.freshness.as_of - time.time()) < 5


def test_one_letter_whole(topics):
    send(topics, [(0, 5, "missing-field", event("rubric_assessed")), (0, 6, "not-json", b"{\xff\x1b")])
    letters = DeadLetters(topics, patience=20)
    found = asyncio.run(letters.one(LOCAL, 0, 0))
    assert found.path == "body.id"
    assert json.loads(found.json_text)["metadata"] == {"event_name": "rubric_assessed"}
    assert (found.key, found.text, found.cut, found.hidden) == ("key", None, False, False)
    assert found.headers[0] == ("trace", "\\xff1")
    assert found.replay_command == "mastery dead-letters replay 0:0"
    broken = asyncio.run(letters.one(LOCAL, 0, 1))
    assert (broken.json_text, broken.text) == (None, "{\\xff\\x1b")


def test_bytes_are_for_who_sees_everything(topics):
    send(topics, [(0, 5, "missing-field", event("rubric_assessed"))])
    for viewer in (Viewer("v", Role.VIEWER), Viewer("a", Role.ADMIN, accounts=frozenset({"x"}))):
        found = asyncio.run(DeadLetters(topics, patience=20).one(viewer, 0, 0))
        assert (found.hidden, found.json_text, found.text, found.key, found.headers) == (
            True,
            None,
            None,
            None,
            (),
        )
        assert found.letter.message == "missing-field at body.id"


@pytest.mark.parametrize("place", [(0, 1), (0, 10**18), (99, 0)])
def test_no_letter_there(topics, place):
    send(topics, [(0, 5, "not-json", b"{")])
    with pytest.raises(NotFound, match="no dead letter"):
        asyncio.run(DeadLetters(topics, patience=20).one(LOCAL, *place))


def test_what_was_replayed_is_marked(topics):
    send(topics, [(0, 5, "not-json", b"{"), (0, 6, "not-json", b"[")])
    letter = letter_at(topics, topic_partitions(topics), (0, 0))
    producer = Producer(producer_config(topics) | QUICK)
    mark = Mark(digest(letter), topics.raw_topic_name, 0, 7, count=2, at=0)
    for place, content in (((0, 0), mark.encoded()), ((0, 1), mark.encoded()), ((0, 2), b"no mark")):
        producer.produce(topics.replays_topic, content, mark_key(place))
    producer.flush(10)
    # The second mark is of another letter at that place, in a topic that was there before.
    assert [(one.id, one.replayed) for one in page(DeadLetters(topics, patience=20)).letters] == [
        ("0:1", 0),
        ("0:0", 2),
    ]


def test_a_broker_that_is_away_is_said_to_be_in_time(tmp_path):
    letters = DeadLetters(load_settings(broker="127.0.0.1:1", state_dir=tmp_path))
    began = time.monotonic()
    with pytest.raises(BrokerAway):
        page(letters)
    assert time.monotonic() - began < 2.9

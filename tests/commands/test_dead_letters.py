import base64
import json
import time

import pytest
from confluent_kafka.admin import NewTopic

from app.deadletter import dead_letter_headers
from app.kafka import admin_client
from app.reader import TopicReader, topic_partitions
from app.replay.headers import Replay, replay_headers

TRACE = [("trace", b"abc")]
# Not as old as the raw topic keeps records.
NOW = time.time_ns() // 1_000_000 - 3_600_000
EVENT = b'{"metadata": {"event_name": "rubric_assessed"}, "body": {}}'


def headers(kind, *, offset=0, message="body.id: missing", original=TRACE):
    return dead_letter_headers(
        original,
        kind=kind,
        exception="EventRefused",
        message=message,
        topic="raw",
        partition=3,
        offset=offset,
    )


@pytest.fixture
def letters(some_topics, produce):
    """Five dead letters in partition 1, a second apart: the fourth is not UTF-8, the fifth not ours."""
    topic = some_topics.dead_letter_topic
    records = [
        (b"k", EVENT, headers("missing-field", offset=10)),
        (None, b"no JSON", headers("not-json", offset=11)),
        (None, None, headers("null-value", offset=12)),
        (None, b"\xff\x00", headers("not-utf8", offset=13)),
        (None, b"{}", []),
    ]
    for number, record in enumerate(records):
        produce(topic, [record], partition=1, timestamp=1_700_000_000_000 + 1000 * number)


@pytest.mark.usefixtures("letters")
def test_list_shows_what_and_why_the_newest_last(mastery):
    done = mastery("dead-letters", "list", "--json")
    assert (done.status, done.err) == (0, "")
    entries = [json.loads(line) for line in done.out.splitlines()]
    assert [entry["id"] for entry in entries] == ["1:0", "1:1", "1:2", "1:3", "1:4"]
    assert entries[0] == {
        "id": "1:0",
        "kind": "missing-field",
        "event": "rubric_assessed",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "topic": "raw",
        "partition": 3,
        "offset": 10,
        "replays": 0,
        "replayed_to": None,
        "message": "body.id: missing",
    }
    assert [entry["kind"] for entry in entries[1:]] == ["not-json", "null-value", "not-utf8", "unknown"]
    table = mastery("dead-letters", "list").out.splitlines()
    assert table[0].split() == ["ID", "KIND", "EVENT", "WHEN", "FROM", "REPLAYS", "REPLAYED", "TO", "MESSAGE"]
    assert table[1].split()[:5] == [
        "1:0",
        "missing-field",
        "rubric_assessed",
        "2023-11-14T22:13:20.000Z",
        "raw/3/10",
    ]


@pytest.mark.usefixtures("letters")
def test_limit_takes_the_newest_and_kind_selects(mastery):
    entries = mastery("dead-letters", "list", "--json", "--limit", 2).out.splitlines()
    assert [json.loads(entry)["id"] for entry in entries] == ["1:3", "1:4"]
    (entry,) = mastery("dead-letters", "list", "--json", "--kind", "not-json").out.splitlines()
    assert json.loads(entry)["id"] == "1:1"
    assert "no dead letters" in mastery("dead-letters", "list", "--kind", "wrong-type").out


@pytest.mark.usefixtures("letters")
def test_show_gives_everything_back(mastery):
    done = mastery("dead-letters", "show", "1:0")
    assert done.status == 0
    assert "missing-field" in done.out
    assert "EventRefused" in done.out
    assert done.out.endswith('\n{"metadata": {"event_name": "rubric_assessed"}, "body": {}}\n')
    shown = json.loads(mastery("dead-letters", "show", "1:0", "--json").out)
    assert (shown["key"], shown["headers"], shown["value"]["body"]) == ("k", {"trace": "abc"}, {})
    shown = json.loads(mastery("dead-letters", "show", "1:3", "--json").out)
    assert shown["value"] == {"base64": base64.b64encode(b"\xff\x00").decode()}
    assert "no text" in mastery("dead-letters", "show", "1:3").out
    assert mastery("dead-letters", "show", "1:2").out.endswith("\n(null)\n")


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("place", ["0:0", "1:5", "9:0"])
def test_nothing_there(mastery, place):
    done = mastery("dead-letters", "show", place)
    assert done.status == 1
    assert f"has no record at {place}\n" in done.err


def test_no_id(mastery):
    done = mastery("dead-letters", "show", "first")
    assert done.status == 2
    assert "first is not" in done.err


@pytest.mark.usefixtures("some_topics")
def test_none_at_all(mastery, settings):
    done = mastery("dead-letters", "list")
    assert (done.status, done.out) == (0, f"no dead letters in {settings.dead_letter_topic}\n")
    assert mastery("dead-letters", "list", "--json").out == ""


@pytest.fixture
def topics_of_replays(some_topics):
    """The topics of `some_topics`, and that of the marks."""
    admin = admin_client(some_topics)
    for future in admin.create_topics([NewTopic(some_topics.replays_topic, 1)]).values():
        future.result()
    return some_topics


@pytest.fixture
def raw(topics_of_replays):
    """Return what is in the raw topic."""
    settings = topics_of_replays

    def read():
        records = []
        with TopicReader.whole(settings, [settings.raw_topic_name], topic_partitions(settings)) as reader:
            while not reader.at_end:
                records += reader.read(0.5)
        return sorted(records, key=lambda record: record.timestamp)

    return read


def ids(done):
    return [json.loads(line)["id"] for line in done.out.splitlines()[:-1]]


def totals(done):
    return json.loads(done.out.splitlines()[-1])


@pytest.fixture
def fresh_letters(topics_of_replays, produce):
    """Five letters of an hour ago: the third long expired, the fourth replayed before, the fifth not ours."""
    topic = topics_of_replays.dead_letter_topic
    replayed = replay_headers(TRACE, Replay(topic, 0, 7, 1))
    records = [
        (1, b"k", EVENT, headers("missing-field"), NOW),
        (0, None, b"no JSON", headers("not-json"), NOW + 1),
        (0, None, None, headers("null-value"), 1_700_000_000_000),
        (1, b"", b"", headers("not-json", original=replayed), NOW + 2),
        (1, None, b"{}", [("foreign", None)], NOW + 3),
    ]
    for partition, record_key, value, their_headers, timestamp in records:
        produce(topic, [(record_key, value, their_headers)], partition=partition, timestamp=timestamp)
    return topic


def test_replay_sends_what_the_raw_record_was_once(mastery, fresh_letters, raw):
    looked = mastery("dead-letters", "replay", "--dry-run")
    assert looked.out.splitlines()[0].startswith("1:0  missing-field  rubric_assessed  ")
    assert "3 dead letters would be sent" in looked.out
    assert raw() == []
    done = mastery("dead-letters", "replay", "--json")
    assert (done.status, sorted(ids(done))) == (1, ["0:0", "1:0", "1:1"])
    assert totals(done) == {
        "sent": 3,
        "replayed_before": 0,
        "expired": 1,
        "foreign": 1,
        "too_large": 0,
        "gone": 0,
    }
    sent = raw()
    source = {"1:0": (1, 0, 1), "0:0": (0, 0, 1), "1:1": (1, 1, 2)}
    assert [(record.key, record.value, record.timestamp - NOW) for record in sent] == [
        (b"k", EVENT, 0),
        (None, b"no JSON", 1),
        (b"", b"", 2),
    ]
    for record, place in zip(sent, source.values(), strict=True):
        assert record.headers == tuple(replay_headers(TRACE, Replay(fresh_letters, *place)))
    listed = {entry["id"]: entry for entry in map(json.loads, done.out.splitlines()[:-1])}
    for record, place in zip(sent, source, strict=True):
        assert listed[place]["replayed_to"] == f"{record.topic}/{record.partition}/{record.offset}"
    again = mastery("dead-letters", "replay")
    assert again.out.splitlines() == [
        "no dead letters to replay",
        "3 left out: replayed before (--again sends them again)",
        "1 left out: not written by a worker (--kind unknown sends them)",
    ]
    assert "1 left out: older than" in again.err
    assert raw() == sent
    pending = mastery("dead-letters", "list", "--pending", "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in pending] == ["0:1", "1:2"]
    table = {line.split()[0]: line for line in mastery("dead-letters", "list").out.splitlines()}
    assert f"  {listed['1:0']['replayed_to']}  body.id" in table["1:0"]
    assert json.loads(mastery("dead-letters", "show", "1:1", "--json").out)["replays"] == 1


@pytest.mark.kafka
def test_replay_by_filters_and_ids_marks_only_what_was_sent(mastery, fresh_letters, raw):
    assert ids(mastery("dead-letters", "replay", "--json", "--event", "rubric_assessed")) == ["1:0"]
    assert ids(mastery("dead-letters", "replay", "--json", "--limit", 1)) == ["1:1"]
    assert ids(mastery("dead-letters", "replay", "--json", "0:0", "1:0")) == ["0:0"]
    assert ids(mastery("dead-letters", "replay", "--json", "--kind", "null-value")) == []
    assert ids(mastery("dead-letters", "replay", "--json", "--kind", "null-value", "--expired")) == ["0:1"]
    assert ids(mastery("dead-letters", "replay", "--json", "--since", "2h", "--kind", "unknown")) == ["1:2"]
    assert len(raw()) == 5
    assert raw()[0].value is None
    assert raw()[-1].headers == (("foreign", None), *replay_headers([], Replay(fresh_letters, 1, 2, 1)))
    done = mastery("dead-letters", "replay", "--again", "1:0", "--json")
    assert ids(done) == ["1:0"]
    assert [record.headers[-1][1] for record in raw() if record.key == b"k"] == [b"1", b"2"]


def test_replay_of_an_id_that_is_not_there_sends_nothing(mastery, fresh_letters, raw):
    done = mastery("dead-letters", "replay", "1:0", "1:77", "3:0")
    assert (done.status, done.out) == (1, "")
    assert "has no record at 1:77, 3:0" in done.err
    assert raw() == []


@pytest.mark.usefixtures("some_topics")
def test_replay_wants_the_topic_of_marks(mastery, settings):
    done = mastery("dead-letters", "replay")
    assert done.status == 1
    assert f"has no topic {settings.replays_topic}" in done.err
    assert "mastery topics apply" in done.err


@pytest.mark.usefixtures("letters")
def test_counts_by_kind_and_event(mastery):
    first, *_ = lines = mastery("dead-letters", "list", "--count", "--json").out.splitlines()
    assert len(lines) == 5
    assert json.loads(first) == {
        "kind": "missing-field",
        "event": "rubric_assessed",
        "count": 1,
        "replayed": 0,
        "oldest": "2023-11-14T22:13:20.000Z",
        "newest": "2023-11-14T22:13:20.000Z",
    }
    done = mastery("dead-letters", "list", "--count", "--kind", "not-json", "--kind", "not-utf8")
    assert done.out.endswith("\n\n2 dead letters, 0 of them replayed\n")
    since = mastery("dead-letters", "list", "--json", "--since", "2023-11-14T23:13:23+01:00")
    assert [json.loads(line)["id"] for line in since.out.splitlines()] == ["1:3", "1:4"]

import base64
import json

import pytest

from app.deadletter import dead_letter_headers


def headers(kind, *, offset=0, message="body.id: missing"):
    return dead_letter_headers(
        [("trace", b"abc")],
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
    topic, event = (
        some_topics.dead_letter_topic,
        b'{"metadata": {"event_name": "rubric_assessed"}, "body": {}}',
    )
    records = [
        (b"k", event, headers("missing-field", offset=10)),
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
        "message": "body.id: missing",
    }
    assert [entry["kind"] for entry in entries[1:]] == ["not-json", "null-value", "not-utf8", "unknown"]
    table = mastery("dead-letters", "list").out.splitlines()
    assert table[0].split() == ["ID", "KIND", "EVENT", "WHEN", "FROM", "MESSAGE"]
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

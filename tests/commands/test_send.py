import base64
import json
import os
import threading

import pytest

from app.embedded.samples import sample_events
from app.reader import TopicReader, topic_partitions


def everything(settings, topic):
    with TopicReader.whole(settings, [topic], topic_partitions(settings)) as reader:
        records = []
        while not reader.at_end:
            records += reader.read(0.5)
    return records


def test_the_bytes_of_each_event_go_as_they_are(some_topics, mastery, tmp_path):
    raw = [sample.raw.strip() for sample in sample_events()]
    file = tmp_path / "events.json"
    file.write_bytes(b"\n".join(raw))
    done = mastery("send", file)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{len(raw)} events sent to {some_topics.raw_topic_name}\n"
    records = everything(some_topics, some_topics.raw_topic_name)
    assert sorted(record.value for record in records) == sorted(raw)
    assert {record.key for record in records} == {None}


def test_standard_input_and_json(some_topics, mastery):
    done = mastery("send", "-", "--json", stdin=b'[{"a": 1}, {"a": 2}]')
    assert done.status == 0
    assert json.loads(done.out) == {"topic": some_topics.raw_topic_name, "sent": 2}


@pytest.mark.parametrize("options", [(), ("--lines",)])
def test_a_pipe_is_read_once(some_topics, mastery, tmp_path, options):
    pipe = tmp_path / "events"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[b'{"a": 1}\n{"a": 2}\n'])
    writer.start()
    done = mastery("send", *options, pipe)
    writer.join()
    assert (done.status, done.out) == (0, f"2 events sent to {some_topics.raw_topic_name}\n")


def test_nothing_of_a_broken_file_is_sent(some_topics, mastery, tmp_path):
    file = tmp_path / "events.json"
    file.write_text('{"a": 1}\n{"a": 1\n')
    done = mastery("send", file)
    assert done.status == 1
    said, hint = done.err.splitlines()
    assert said == f"error: {file}, line 3: broken JSON: expecting ',' delimiter (column 1)"
    assert "`mastery send --lines`" in hint
    assert done.out == ""
    assert everything(some_topics, some_topics.raw_topic_name) == []


def test_of_broken_standard_input_the_beginning_is_sent_and_counted(some_topics, mastery):
    done = mastery("send", "-", stdin=b'{"a": 1}\n{"a": 2}\nx')
    assert done.status == 1
    assert done.out == f"2 events sent to {some_topics.raw_topic_name}\n"
    assert "standard input, line 3" in done.err
    assert len(everything(some_topics, some_topics.raw_topic_name)) == 2


def test_lines_go_as_they_are(some_topics, mastery):
    done = mastery("send", "--lines", "-", stdin=b'{"a": 1}\n\n[broken\xff\r\nlast')
    assert (done.status, done.out) == (0, f"4 events sent to {some_topics.raw_topic_name}\n")
    values = {record.value for record in everything(some_topics, some_topics.raw_topic_name)}
    assert values == {b'{"a": 1}', None, b"[broken\xff\r", b"last"}


def test_no_topic_no_file_no_broker(mastery, monkeypatch, settings, tmp_path):
    done = mastery("send", "-", stdin=b"{}")
    assert done.status == 1
    assert f"has no topic {settings.raw_topic_name}\n  -> `mastery topics apply`" in done.err
    done = mastery("send", tmp_path / "nothing")
    assert done.status == 2
    assert "does not exist" in done.err
    monkeypatch.setenv("MASTERY_BROKER", "127.0.0.1:1")
    done = mastery("send", "-", stdin=b"{}")
    assert done.status == 1
    assert done.err.startswith("error: no Kafka broker answers at 127.0.0.1:1: connection refused\n  -> ")


def test_an_event_that_is_too_large_for_any_client(some_topics, mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_MAX_MESSAGE_BYTES", str(16 * 1024))
    event = json.dumps({"a": "x" * (2 * 1024 * 1024)}).encode()
    done = mastery("send", "-", stdin=b'{"a": 1}' + event)
    assert done.status == 1
    assert done.out == f"1 event sent to {some_topics.raw_topic_name}\n"
    assert "error: event 2 is larger than" in done.err
    assert "MASTERY_MAX_MESSAGE_BYTES" in done.err


@pytest.mark.kafka
def test_an_event_that_is_too_large_for_the_topic(some_topics, mastery):
    # Letters at random: they do not get smaller by compression.
    letters = base64.b64encode(os.urandom(some_topics.max_message_bytes)).decode()
    event = json.dumps({"a": letters}).encode()
    done = mastery("send", "-", stdin=event)
    assert (done.status, done.out) == (1, f"0 events sent to {some_topics.raw_topic_name}\n")
    assert "an event is larger than" in done.err

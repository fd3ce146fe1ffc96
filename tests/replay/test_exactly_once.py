"""Replays against a real Kafka: killed at every step, two at once, what fails again, what does not fit."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from app.reader import topic_partitions
from app.replay.headers import Replay, replay_headers, replay_of
from app.replay.letters import read_letters
from app.replay.plan import oldest_kept
from app.topics import TopicAdmin, apply, load_catalogue
from tests.replay.letters import why
from tests.support.records import create_topic, produce, read_all
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, WorkerProcess, command_environment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

TRACE = [("trace", b"1"), ("trace", None), ("", b"")]
# Not as old as the raw topic keeps records.
NOW = time.time_ns() // 1_000_000 - 3_600_000
LETTERS = 30
# Of a transaction of five letters: among them, behind them, among their marks, before and after the commit.
STEPS = ["produce_one:3", "flush:1", "produce_one:18", "end:2", "done:1"]


@pytest.fixture
def topics(settings):
    """Settings whose raw topic, dead letters and marks are there."""
    create_topic(settings.broker, settings.raw_topic_name, partitions=3)
    create_topic(settings.broker, settings.dead_letter_topic, partitions=2)
    create_topic(settings.broker, settings.replays_topic, cleanup_policy="compact")
    return settings


class Replays:
    """Runs the command as a process; `fault` as faulty_replay has it."""

    def __init__(self, settings):
        self.settings = settings
        self.started = []

    def start(self, *arguments, fault=""):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.replay.faulty_replay", *arguments],
            env=command_environment(self.settings, FAULT=fault),
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments, fault=""):
        process = self.start(*arguments, fault=fault)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def replays(topics):
    running = Replays(topics)
    yield running
    for process in running.started:
        process.kill()
        process.communicate()


def write_letters(settings, count=LETTERS):
    """Dead letters with a value, key and timestamp of their own, in both partitions."""
    write(
        settings,
        *(
            {
                "value": b"\xff %d" % number,
                "partition": number % 2,
                "key": b"k%d" % number if number % 3 else None,
                "headers": why("not-utf8", TRACE, offset=number),
                "timestamp": NOW + number,
            }
            for number in range(count)
        ),
    )


def write(settings, *letters):
    producer = Producer({"bootstrap.servers": settings.broker})
    for letter in letters:
        producer.produce(settings.dead_letter_topic, **letter)
    assert producer.flush(10) == 0


def raw_records(settings):
    return read_all(settings.broker, settings.raw_topic_name)


def marks(settings):
    return {record.key.decode(): record.value for record in read_all(settings.broker, settings.replays_topic)}


def judge(settings, count=LETTERS):
    """Each letter is in the raw topic once, as it was, and has a mark that says where."""
    records = raw_records(settings)
    by_number = {record.timestamp - NOW: record for record in records}
    assert sorted(record.timestamp - NOW for record in records) == list(range(count))
    found = marks(settings)
    assert len(found) == count
    for number, record in by_number.items():
        place = (number % 2, number // 2)
        assert record.value == b"\xff %d" % number
        assert record.key == (b"k%d" % number if number % 3 else None)
        source = Replay(settings.dead_letter_topic, *place, 1)
        assert record.headers == tuple(replay_headers(TRACE, source))
        mark = json.loads(found[f"{place[0]}:{place[1]}"])
        assert (mark["topic"], mark["partition"], mark["offset"]) == (
            record.topic,
            record.partition,
            record.offset,
        )


def test_killed_at_every_step(topics, replays):
    write_letters(topics)
    for step in STEPS:
        before = len(marks(topics))
        status, _, err = replays.run(fault=f"kill:{step}")
        assert status == -signal.SIGKILL, err
        assert before <= len(marks(topics)) < LETTERS
    status, out, err = replays.run("--json")
    assert (status, err) == (0, "")
    left = json.loads(out.splitlines()[-1])
    assert 0 < left["sent"] < LETTERS
    assert left["sent"] + left["replayed_before"] == LETTERS
    judge(topics)


def test_a_second_replay_takes_over_from_the_first(topics, replays):
    write_letters(topics)
    first = replays.start(fault="stop:flush:3")
    wait_until(
        lambda: os.waitpid(first.pid, os.WNOHANG | os.WUNTRACED)[1] != 0, timeout=30, what="the first to stop"
    )
    status, out, err = replays.run()
    assert (status, err) == (0, "")
    assert "25 dead letters replayed" in out
    first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=30)
    assert first.returncode == 1
    assert out.count(" -> ") == 5
    assert "5 dead letters replayed" in out
    assert err.startswith("error: another replay has begun: it goes on where this one was\n")
    judge(topics)


def dead_letters(settings):
    return list(read_letters(settings, topic_partitions(settings)))


def test_what_fails_again_says_how_often(settings, tmp_path):
    """The whole way: a worker refuses, the letter is replayed, the worker refuses again, and so on."""
    apply(load_catalogue(settings), TopicAdmin(settings))
    running = Replays(settings)
    raw = settings.raw_topic_name
    produce(settings.broker, raw, [b"no JSON"], key=b"k", headers=TRACE, timestamp=NOW)
    with WorkerProcess(settings, tmp_path) as worker:
        for count in range(3):
            wait_until(
                lambda count=count: len(dead_letters(settings)) == count + 1,
                timeout=30,
                what=f"{count + 1} dead letters",
                detail=lambda: worker.log,
            )
            (newest,) = [letter for letter in dead_letters(settings) if letter.replays == count]
            assert (newest.kind, newest.record.value, newest.record.key) == ("not-json", b"no JSON", b"k")
            if count < 2:
                status, out, err = running.run("--json")
                assert (status, err) == (0, "")
                assert json.loads(out.splitlines()[-1])["sent"] == 1
    # Two librdkafka producers put a key into different partitions: the tests' has another partitioner.
    records = sorted(raw_records(settings), key=lambda record: record.header("mastery.replay.count") or b"0")
    assert [(record.key, record.value, record.timestamp) for record in records] == [
        (b"k", b"no JSON", NOW)
    ] * 3
    assert [replay.count if (replay := replay_of(record.headers)) else 0 for record in records] == [0, 1, 2]
    assert [record.headers[:3] for record in records] == [tuple(TRACE)] * 3
    assert {len(record.headers) for record in records[1:]} == {len(TRACE) + 4}


def test_a_letter_that_the_raw_topic_does_not_take_holds_up_no_other(topics):
    small = topics.model_copy(update={"raw_topic": f"{topics.topic_prefix}somebody-elses"})
    create_topic(small.broker, small.raw_topic_name, max_message_bytes="4000")
    sizes = (100, 6_000, 100, 5_000, 100)
    write(
        small,
        *(
            {"value": os.urandom(size), "partition": 0, "headers": why(), "timestamp": NOW + number}
            for number, size in enumerate(sizes)
        ),
    )
    status, out, err = Replays(small).run()
    assert status == 1
    assert "3 dead letters replayed" in out
    assert "larger than" in err
    assert ": 0:1, 0:3\n" in err
    assert [len(record.value) for record in raw_records(small)] == [100, 100, 100]
    assert set(marks(small)) == {"0:0", "0:2", "0:4"}


def test_a_topic_that_takes_no_old_records_is_named(topics):
    strict = topics.model_copy(update={"raw_topic": f"{topics.topic_prefix}somebody-elses"})
    create_topic(strict.broker, strict.raw_topic_name, message_timestamp_before_max_ms="60000")
    write_letters(strict, 1)
    status, out, err = Replays(strict).run()
    assert (status, out) == (1, f"0 dead letters replayed to {strict.raw_topic_name}\n")
    assert f"{strict.raw_topic_name} takes no record as old as dead letter 0:0\n" in err
    assert "message.timestamp.before.max.ms" in err


def test_marks_of_deleted_letters_are_removed(topics, replays):
    write_letters(topics, 6)
    assert replays.run()[0] == 0
    delete_records(topics, {0: 2, 1: 1})
    write_letters(topics, 1)
    assert replays.run()[0] == 0
    left = {key for key, value in marks(topics).items() if value is not None}
    assert left == {"0:2", "0:3", "1:1", "1:2"}


def delete_records(settings, before):
    """Delete what stands below these offsets, as retention would."""
    admin = AdminClient({"bootstrap.servers": settings.broker, "log_level": 0})
    topic = settings.dead_letter_topic
    places = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
    for future in admin.delete_records(places).values():
        future.result()


@pytest.mark.parametrize(
    ("config", "age"),
    [
        ({"retention_ms": "5000"}, 5_000),
        ({"retention_ms": "-1"}, None),
        ({"retention_ms": "5000", "message_timestamp_type": "LogAppendTime"}, None),
        ({"retention_ms": "5000", "cleanup_policy": "compact"}, None),
        ({"retention_ms": "5000", "cleanup_policy": "compact,delete"}, 5_000),
    ],
)
def test_what_the_raw_topic_keeps(settings, config, age):
    create_topic(settings.broker, settings.raw_topic_name, **config)
    assert oldest_kept(settings, now=NOW) == (None if age is None else NOW - age)

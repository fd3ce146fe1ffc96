import json

import pytest
from confluent_kafka.admin import AdminClient

from app.topics import load_catalogue


def existing(settings) -> set[str]:
    found = AdminClient({"bootstrap.servers": settings.broker}).list_topics(timeout=10).topics
    return {name for name in found if name.startswith(settings.topic_prefix)}


def test_list_shows_the_catalogue_and_needs_no_broker(mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_BROKER", "127.0.0.1:1")
    monkeypatch.setenv("MASTERY_TOPIC_PREFIX", "school.")
    done = mastery("topics", "list")
    assert (done.status, done.err) == (0, "")
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert len(rows) == 1 + 20
    assert "14 days" in rows["school.live-events"]
    assert "30 days" in rows["school.dead-letter"]
    assert "400 days" in rows["school.rubric_assessed"]
    assert "for ever" in rows["school.learning_outcome_result_created"]
    assert "last of each key" in rows["school.schemas"]


def test_list_as_json_says_everything(mastery):
    specs = json.loads(mastery("topics", "list", "--json").out)
    assert len(specs) == 20
    for spec in specs:
        assert set(spec) == {
            "topic",
            "partitions",
            "replication",
            "config",
            "copartitioned",
            "event",
            "key",
            "value",
            "writers",
            "readers",
            "description",
        }


def test_apply_says_what_it_made_and_then_that_all_is_there(mastery, settings):
    done = mastery("topics", "apply")
    assert (done.status, done.err) == (0, "")
    made = {line.removeprefix("made ") for line in done.out.splitlines() if line.startswith("made ")}
    assert made == existing(settings) == set(load_catalogue(settings).topics)
    assert done.out.splitlines()[-1] == "20 made, 0 there before"
    assert mastery("topics", "apply").out == "0 made, 20 there before\n"
    assert mastery("topics", "check").status == 0


def test_apply_as_json(mastery, settings):
    first, second = (json.loads(mastery("topics", "apply", "--json").out) for _ in range(2))
    assert set(first["created"]) == existing(settings)
    assert second["created"] == []
    assert {topic["state"] for topic in second["topics"]} == {"ok"}


def test_check_fails_while_topics_are_missing_and_makes_none(mastery, settings):
    done = mastery("topics", "check")
    assert done.status == 1
    assert done.out.count("missing") == 20
    assert done.err.startswith("error: of 20 topics, 20 missing")
    assert "`mastery topics apply`" in done.err
    assert existing(settings) == set()


@pytest.mark.usefixtures("topics")
def test_drift_is_told_with_the_way_out_and_left_alone(mastery, monkeypatch, settings):
    monkeypatch.setenv("MASTERY_RAW_RETENTION_DAYS", "3")
    done = mastery("topics", "apply")
    assert done.status == 0
    line = f"{settings.raw_topic_name}: retention.ms is 1209600000, not 259200000"
    assert line in done.out
    assert "--add-config retention.ms=259200000" in done.out
    done = mastery("topics", "check")
    assert done.status == 1
    assert line in done.out
    # Commands are kept as long as raw events.
    assert f"2 different: {settings.raw_topic_name}, {settings.commands_topic}" in done.err
    done = mastery("topics", "check", "--json")
    assert done.status == 1
    different, _ = [topic for topic in json.loads(done.out) if topic["state"] != "ok"]
    assert different["topic"] == settings.raw_topic_name
    assert different["differences"][0]["what"] == "retention.ms"
    assert different["differences"][0]["blocking"] is False


@pytest.mark.usefixtures("topics")
def test_another_partition_count_is_one_clear_error(mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_PARTITIONS", "8")
    done = mastery("topics", "apply")
    assert (done.status, done.out) == (1, "")
    error, hint = done.err.splitlines()
    assert "has 4 partitions, not 8" in error
    assert "MASTERY_PARTITIONS=4" in hint


def test_no_broker_is_one_clear_error(mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_BROKER", "127.0.0.1:1")
    done = mastery("topics", "check")
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 2
    assert "no Kafka broker answers at 127.0.0.1:1" in done.err

import json

import pytest

from app.embedded.samples import sample_events
from app.kafka import admin_client
from tests.support.envelopes import PACKED_BY

SAMPLE = sample_events()[0].raw
HEADERS = []


@pytest.fixture
def filled(some_topics, produce):
    """Six records: two good events, one packed, one broken, one without a value, one ignored."""
    topic = some_topics.raw_topic_name
    _, pack = PACKED_BY["SNS to SQS"]
    beta = SAMPLE.replace(b'"producer"', b'"hostname": "a.beta.instructure.com", "producer"')
    production = SAMPLE.replace(b'"producer"', b'"hostname": "a.instructure.com", "producer"')
    ignored = b'{"metadata": {"event_name": "logged_in", "user_login": "ann"}, "body": {}}'
    produce(topic, [(None, value, HEADERS) for value in (beta, production, pack(SAMPLE))], partition=0)
    produce(topic, [(None, value, HEADERS) for value in (b"secret", None, ignored)], partition=1)
    return some_topics


@pytest.mark.usefixtures("filled")
def test_inspect_counts_and_says_what_is_to_be_known(mastery):
    done = mastery("raw", "inspect")
    assert (done.status, done.err) == (0, "")
    assert "6 records" in done.out
    assert "in-envelope: sqs,sns (MASTERY_RAW_ENVELOPE=sqs,sns takes it out)" in done.out
    assert "* 3 of 6 records would be refused" in done.out
    assert "several Canvas environments are mixed (beta 1, production 1" in done.out
    assert "secret" not in done.out
    assert "ann" not in done.out
    told = json.loads(mastery("raw", "inspect", "--json").out)
    assert (told["records"], told["offsets"], told["offsets_read"]) == (6, 6, 6)
    assert told["envelopes"] == {"sqs,sns": 1}
    assert {entry["message"] for entry in told["refused"]} == {
        "not-json",
        "null-value",
        "in-envelope: sqs,sns (MASTERY_RAW_ENVELOPE=sqs,sns takes it out)",
    }
    assert told["accounts"][0]["environments"] == {"beta": 1, "production": 1}
    assert told["findings"][0].startswith("3 of 6 records")


@pytest.mark.usefixtures("filled")
def test_inspect_goes_by_the_settings(mastery, monkeypatch):
    mastery("raw", "--help")
    monkeypatch.setenv("MASTERY_RAW_ENVELOPE", "auto")
    monkeypatch.setenv("MASTERY_OTHER_EVENTS", "dead-letter")
    told = json.loads(mastery("raw", "inspect", "--json").out)
    assert {entry["kind"] for entry in told["refused"]} == {"not-json", "null-value", "ignored-event"}


@pytest.mark.usefixtures("filled")
def test_the_newest_or_the_oldest_are_read(mastery):
    newest = json.loads(mastery("raw", "inspect", "--json", "--limit", 1).out)
    assert (newest["records"], newest["offsets_read"]) == (2, 2)
    assert newest["envelopes"] == {"sqs,sns": 1}
    oldest = json.loads(mastery("raw", "inspect", "--json", "--limit", 1, "--from-beginning").out)
    assert (oldest["records"], oldest["envelopes"]) == (2, {})


def test_an_empty_topic_is_told(mastery, some_topics):
    done = mastery("raw", "inspect")
    assert (done.status, done.out.splitlines()[-1]) == (0, "no records")
    assert json.loads(mastery("raw", "inspect", "--json").out)["findings"] == []


def test_no_topic_at_all(mastery, settings):
    done = mastery("raw", "inspect")
    assert done.status == 1
    assert f"has no topic {settings.raw_topic_name}" in done.err


@pytest.mark.usefixtures("filled")
def test_no_group_is_joined_and_nothing_written(mastery, settings):
    def groups():
        return {group.group_id for group in admin_client(settings).list_consumer_groups().result().valid}

    before = groups()
    mastery("raw", "inspect")
    assert groups() == before
    assert json.loads(mastery("raw", "inspect", "--json").out)["offsets"] == 6

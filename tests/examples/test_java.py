"""The Java example reads what was sent: a check of the typed topics by code that shares nothing with them."""

import json
import subprocess
from collections import Counter
from hashlib import sha256

import pytest

from tests.examples.aborted import abort_a_copy
from tests.examples.history import newest, same
from tests.examples.java_build import java_example

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # Maven may have to fetch first


def run_java(settings, worker, program: str) -> list[str]:
    """Run one of the example's programs to the end of what is there; return the lines it printed."""
    command = [
        "java",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        java_example(),
        f"example.{program}",
    ]
    options = [
        f"--broker={settings.broker}",
        f"--registry={worker.url}/registry",
        f"--prefix={settings.topic_prefix}",
        f"--group={settings.topic_prefix}{program}",
    ]
    words = [word for option in options for word in option.split("=", 1)]
    done = subprocess.run(
        [*command, *words, "--exit"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_generated_classes_hold_what_was_sent(settings, worker, send, events):
    send(events)
    abort_a_copy(settings)
    printed = [json.loads(line) for line in run_java(settings, worker, "PrintRecords")]

    sent = {sha256(raw).digest()[:16].hex(): json.loads(raw) for raw in events}
    assert Counter(record["event_id"] for record in printed) == Counter(
        sha256(raw).digest()[:16].hex() for raw in events
    )
    assert {event["metadata"]["event_name"] for event in sent.values()} == {
        record["metadata"]["event_name"] for record in printed
    }
    for record in printed:
        same({part: record[part] for part in ("metadata", "body")}, sent[record["event_id"]])

    # A later line about a row is a newer version of it.
    rows = {}
    for line in run_java(settings, worker, "NewestResults"):
        account, row, user, outcome, state, score = line.split("\t")
        rows[account, row] = (user, outcome, state, None if score == "null" else float(score))
    assert rows == {
        key: (
            body["user_uuid"],
            body["learning_outcome_id"],
            body.get("workflow_state") or "active",
            body.get("score"),
        )
        for key, body in newest(events).items()
    }

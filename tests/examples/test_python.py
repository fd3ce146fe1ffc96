"""The Python example keeps the newest version of each row, whatever the order, and however often it runs."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from tests.examples.aborted import abort_a_copy
from tests.examples.history import newest
from tests.support.worker import CHECKOUT, WorkerProcess

PROGRAM = CHECKOUT / "examples" / "python" / "newest_results.py"


def run_example(settings: Settings, worker: WorkerProcess, database: Path) -> int:
    """Run it to the end of what is there; return how many records it read."""
    done = subprocess.run(
        [
            sys.executable,
            PROGRAM,
            database,
            f"--broker={settings.broker}",
            f"--registry={worker.url}/registry",
            f"--prefix={settings.topic_prefix}",
            f"--group={settings.topic_prefix}newest-results",
            "--exit",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return sum(int(count) for count in re.findall(r"^(\d+) records:", done.stdout, re.MULTILINE))


def rows(database: Path) -> dict[tuple[str, str], tuple[object, ...]]:
    with sqlite3.connect(database) as connection:
        query = "SELECT root_account, id, user_uuid, outcome_id, state, score FROM results"
        found = {(account, row): tuple(columns) for account, row, *columns in connection.execute(query)}
    connection.close()
    return found


def expected(events: list[bytes]) -> dict[tuple[str, str], tuple[object, ...]]:
    return {
        key: (
            body["user_uuid"],
            body["learning_outcome_id"],
            body.get("workflow_state") or "active",
            body.get("score"),
        )
        for key, body in newest(events).items()
    }


def results_in(events: list[bytes]) -> int:
    return sum(b'"learning_outcome_result_' in event for event in events)


def test_the_newest_versions_win(settings, worker, send, events, tmp_path):
    send(events)
    assert run_example(settings, worker, tmp_path / "results.db") == results_in(events)
    assert rows(tmp_path / "results.db") == expected(events)


@pytest.mark.kafka
def test_it_goes_on_where_it_was_and_older_versions_change_nothing(settings, worker, send, events, tmp_path):
    """On a real Kafka, with an aborted transaction of the worker's kind in the way."""
    database, half = tmp_path / "results.db", len(events) // 2
    send(events[:half])
    abort_a_copy(settings)
    assert run_example(settings, worker, database) == results_in(events[:half])
    assert rows(database) == expected(events[:half])
    send(events[half:])
    assert run_example(settings, worker, database) == results_in(events[half:])
    assert rows(database) == expected(events)

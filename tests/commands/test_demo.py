"""`mastery demo` as a person starts it: a process of its own, ended from outside."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from app.embedded.events import demo_events, first_events
from app.schemas.contract import load_contract
from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app.cli", "demo"]
# Of a worker that a developer has; the demo must not touch what it points at.
ELSEWHERE = {"MASTERY_BROKER": "127.0.0.1:1", "MASTERY_TOPIC_PREFIX": "other.", "MASTERY_PARTITIONS": "3"}


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = dict(tuple(map(int, line.split())) for line in listing.splitlines())
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    running = {int(pid) for pid, state in map(str.split, listing.splitlines()) if not state.startswith("Z")}
    return pids & running


@pytest.fixture
def running_demo(tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[subprocess.Popen]]:
    """Start the demo: `with running_demo("--exit") as process:`. What it leaves on disk is in `tmp_path`."""
    return partial(_running_demo, tmp_path)


@contextlib.contextmanager
def _running_demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env=os.environ | ELSEWHERE | {"TMPDIR": str(folder), "HOME": str(folder)},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def today():
    return datetime.now(UTC).date()


def expected(day):
    """How many records each topic gets of what the demo sends first."""
    events = first_events(demo_events(day))
    return {
        f"canvas.{name}": sum(event.event_name == name for event in events) for name in load_contract().events
    } | {"canvas.dead-letter": sum(event.dead for event in events)}


def test_exit_shows_every_event_where_it_belongs_and_leaves_nothing(running_demo, tmp_path):
    begun = today()
    with running_demo("--exit", "--json", "--port", "0") as process:
        wait_until(lambda: len(descendants(process.pid)) >= 2, timeout=20, what="broker and worker to run")
        started = descendants(process.pid)
        out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    views = {view["topic"]: view for view in map(json.loads, out.splitlines())}
    mastery = views.pop("canvas.outcome_mastery")
    assert mastery["records"] >= mastery["rows"] > mastery["students"] > mastery["outcomes"] > 3
    assert mastery["sample"]["definition_state"]
    # It may have begun yesterday.
    assert {topic: view["records"] for topic, view in views.items()} in [expected(begun), expected(today())]
    assert views["canvas.rubric_assessed"]["sample"]["body"]["artifact_type"]
    assert views["canvas.dead-letter"]["sample"]["kind"]
    assert alive(started) == set()
    assert list(tmp_path.iterdir()) == []


def test_exit_prints_a_table(running_demo):
    # 9092 is taken, by this test or by somebody else.
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 9092)))
        with running_demo("--exit") as process:
            out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    assert "(9092 is taken)" in out
    lines = out.splitlines()
    (header,) = [line for line in lines if line.startswith("TOPIC")]
    assert header.split() == ["TOPIC", "RECORDS", "FIRST", "RECORD,", "DECODED"]
    end = lines.index(header) + 1 + len(load_contract().events) + 1
    assert lines[end] == ""
    assert " rows in canvas.outcome_mastery: " in lines[end + 1]
    assert lines[end + 3].split()[:3] == ["STUDENT", "OUTCOME", "SCORE"]
    assert len(lines[end + 4 : -2]) == 5
    assert lines[-1].startswith("last change: student ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_live_shows_what_arrives_and_a_signal_ends_all_of_it(number, running_demo, tmp_path):
    begin = time.monotonic()
    with running_demo("--port", "0") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("mastery-stream demo")
        banner = time.monotonic() - begin
        line = ""
        while not line.startswith("canvas."):
            line = process.stdout.readline()
            assert line, "the demo ended before anything arrived"
        first_record = time.monotonic() - begin
        started = descendants(process.pid)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert alive(started) == set()
    assert list(tmp_path.iterdir()) == []
    assert len(started) >= 2
    # A loaded machine may be slower than the 2 and 12 seconds that a person should wait at most.
    assert banner < 4
    assert first_record < 24


def test_a_worker_that_dies_ends_the_demo_with_its_last_words(running_demo, tmp_path):
    with running_demo("--port", "0") as process:
        assert process.stdout is not None
        line = ""
        while not line.startswith("worker started: process "):
            line = process.stdout.readline()
        started = descendants(process.pid)
        os.kill(int(line.split()[3].rstrip(",")), signal.SIGKILL)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.startswith("error: the worker has ended by itself, exit status -9")
    assert "Traceback" not in err
    assert alive(started) == set()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_the_demo_itself_is_killed(running_demo):
    with running_demo("--port", "0") as process:
        assert process.stdout is not None
        line = ""
        while not line.startswith("worker started: process "):
            line = process.stdout.readline()
        started = descendants(process.pid)
        process.kill()
    wait_until(lambda: not alive(started), timeout=10, what="broker and worker to end")

"""`mastery worker` and `faust -A app.main worker` as a person starts them, when not all is in order."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.support.ports import stable_port
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT, WorkerProcess, command_environment

FAUST = ("faust", "-A", "app.main", "worker", "-l", "info")


def run_worker(
    settings: Settings, module: tuple[str, ...] = ("app.cli", "worker"), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a worker that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", *module],
        env=command_environment(settings, **variables),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_clear_error(run: subprocess.CompletedProcess[str], *words: str) -> None:
    """Ended in error, said why in one line and what to do in the next, and showed no traceback."""
    assert run.returncode not in {0, None}
    assert "Traceback" not in run.stderr
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, run.stderr
    assert run.stderr.count("  -> ") == 1, run.stderr
    for word in words:
        assert word in run.stderr


@pytest.fixture
def topics(settings: Settings) -> Settings:
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


def test_a_broker_that_is_not_there_is_waited_for_then_told(settings: Settings) -> None:
    nobody = f"127.0.0.1:{stable_port()}"
    run = run_worker(settings, MASTERY_BROKER=nobody, MASTERY_STARTUP_TIMEOUT="1.5")
    assert_one_clear_error(run, nobody, "MASTERY_BROKER")
    assert "next try in" in run.stderr


def test_missing_topics_are_named_with_the_command_that_makes_them(settings: Settings) -> None:
    assert_one_clear_error(run_worker(settings), settings.raw_topic_name, "mastery topics apply")


def test_another_partition_count_is_refused(topics: Settings) -> None:
    # The catalogue asks for 4 partitions more than there are.
    assert_one_clear_error(run_worker(topics, MASTERY_PARTITIONS="8"), "partitions")


def test_a_port_in_use_is_told(topics: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_one_clear_error(run_worker(topics, MASTERY_WEB_PORT=port), port, "MASTERY_WEB_PORT")


def test_a_state_folder_that_cannot_be_written_is_told(topics: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert_one_clear_error(run_worker(topics, MASTERY_STATE_DIR=str(file / "state")), "MASTERY_STATE_DIR")


def test_a_schema_registry_that_is_down_is_waited_for_then_told(topics: Settings) -> None:
    url = f"http://127.0.0.1:{stable_port()}"
    run = run_worker(topics, MASTERY_SCHEMA_REGISTRY_URL=url, MASTERY_STARTUP_TIMEOUT="1.5")
    assert_one_clear_error(run, url)


def test_a_wrong_setting_is_told_before_anything_starts(settings: Settings) -> None:
    assert_one_clear_error(run_worker(settings, MASTERY_PII="some"), "MASTERY_PII")


def test_offsets_beyond_the_end_are_told_with_the_way_out(topics: Settings) -> None:
    group = Consumer({"bootstrap.servers": topics.broker, "group.id": topics.group_id, "log_level": 0})
    group.commit(offsets=[TopicPartition(topics.raw_topic_name, 0, 1000)], asynchronous=False)
    group.close()
    assert_one_clear_error(run_worker(topics), "lies beyond its end", "--reset-offsets")


@pytest.fixture
def running(topics: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    with WorkerProcess(topics, tmp_path) as worker:
        worker.wait_ready()
        yield worker


def test_a_state_folder_belongs_to_one_worker(
    running: WorkerProcess, topics: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / f"{running.name}-state"
    assert_one_clear_error(
        run_worker(topics, MASTERY_STATE_DIR=str(folder)), str(folder), "MASTERY_STATE_DIR"
    )
    assert running.ready


@pytest.mark.parametrize("module", [("app.cli", "worker"), FAUST], ids=["mastery", "faust"])
def test_a_stop_while_waiting_for_the_broker_is_no_error(
    settings: Settings, tmp_path: Path, module: tuple[str, ...]
) -> None:
    variables = {"MASTERY_BROKER": f"127.0.0.1:{stable_port()}"}
    with WorkerProcess(settings, tmp_path, module=module, variables=variables) as worker:
        wait_until(lambda: "next try in" in worker.log, timeout=20, what="the worker to wait for a broker")
        worker.terminate()
        assert worker.wait(10) == 0, worker.log
        assert "Traceback" not in worker.log


def test_fausts_own_command_runs_the_same_worker(topics: Settings, tmp_path: Path) -> None:
    with WorkerProcess(topics, tmp_path, module=FAUST) as worker:
        worker.wait_ready()
        worker.terminate()
        assert worker.wait() == 0, worker.log


def test_fausts_own_command_tells_what_is_missing_in_one_line(settings: Settings) -> None:
    run = run_worker(settings, FAUST)
    assert_one_clear_error(run, settings.raw_topic_name, "mastery topics apply")


def test_fausts_own_command_tells_a_wrong_setting_in_one_line(settings: Settings) -> None:
    run = run_worker(settings, FAUST, MASTERY_PII="some")
    assert_one_clear_error(run, "MASTERY_PII")
    assert run.returncode == 2


@pytest.mark.parametrize("module", [("app.cli", "worker"), FAUST], ids=["mastery", "faust"])
def test_signals_for_debugging_tell_no_values_and_stop_nothing(
    topics: Settings, tmp_path: Path, module: tuple[str, ...]
) -> None:
    with WorkerProcess(topics, tmp_path, module=module) as worker:
        worker.wait_ready()
        for number in (signal.SIGUSR2, signal.SIGUSR1):
            worker.send_signal(number)
        wait_until(lambda: "Current thread" in worker.log_file.read_text(), timeout=10, what="the stacks")
        assert "LOCAL VARIABLES" not in worker.log_file.read_text().upper()
        assert worker.ready
        worker.terminate()
        assert worker.wait() == 0, worker.log


def test_as_json_every_line_is_json_the_last_one_too(topics: Settings, tmp_path: Path) -> None:
    as_json = {"MASTERY_LOG_FORMAT": "json"}
    with WorkerProcess(topics, tmp_path, variables=as_json) as worker:
        worker.wait_ready()
        worker.terminate()
        assert worker.wait() == 0, worker.log
        lines = [json.loads(line) for line in worker.log_file.read_text().splitlines()]
    assert [line["level"] for line in lines] == ["INFO"] * 4, lines
    assert lines[0]["group"] == topics.group_id
    (running,) = [line for line in lines if "offsets" in line]
    assert len(running["offsets"]) == len(topics.input_topics) * topics.partitions
    # How many checkpoints there were is a matter of time: each partition notes that its rows agree.
    assert lines[-1]["events"] == 0
    assert 0 <= lines[-1]["checkpoints"] <= topics.partitions
    failed = run_worker(topics, **as_json, MASTERY_PARTITIONS="8")
    assert failed.returncode == 1
    (line,) = map(json.loads, failed.stderr.splitlines())
    assert line["level"] == "CRITICAL"
    assert "partitions" in line["message"]
    assert line["hint"]


def test_as_json_a_failure_that_nobody_thought_of_is_a_line_too(settings: Settings) -> None:
    code = (
        "import app.main, app.cli\n"
        "def fail(*_): raise ValueError('unheard of')\n"
        "app.main.create_app = fail\n"
        "app.cli.main(['worker'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=command_environment(settings, MASTERY_LOG_FORMAT="json"),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    (line,) = map(json.loads, run.stderr.splitlines())
    assert line["level"] == "CRITICAL"
    assert "ValueError: unheard of" in line["traceback"]

"""A worker that has written typed records, for consumers to read."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded.samples import sample_events
from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.examples.history import result_events
from tests.support.records import produce
from tests.support.worker import CHECKOUT, WorkerProcess, command_environment


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    apply(load_catalogue(settings), TopicAdmin(settings))
    with WorkerProcess(settings, tmp_path) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def send(settings: Settings, worker: WorkerProcess) -> Callable[[list[bytes]], None]:
    """Send raw events and wait until the worker has written all of them."""

    def send(events: list[bytes]) -> None:
        produce(settings.broker, settings.raw_topic_name, events)
        idle = subprocess.run(
            [sys.executable, "-m", "app.cli", "status", "--wait-idle", "30"],
            env=command_environment(settings),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert idle.returncode == 0, idle.stderr + worker.log

    return send


@pytest.fixture
def events() -> list[bytes]:
    """All of Canvas's examples, and results in many versions."""
    return [sample.raw for sample in sample_events()] + result_events(40)

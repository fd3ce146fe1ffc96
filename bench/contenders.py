"""Who takes part, and how each is started: this project's own command, and its peers."""

import json
import os
import socket
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded.child import ChildProcess
from bench.broker import Cluster
from bench.measure import RunFailed
from bench.peers.job import TASK_VARIABLE
from bench.workload import RESULT_EVENT

__all__ = ["CONTENDERS", "MASTERY_CONTENDERS", "OURS", "Contender", "Stage", "start_worker"]

_ROOT = Path(__file__).resolve().parent.parent
_QUIX_VENV = _ROOT / "bench" / ".venv-quix"
_QUIX_PYTHON = _QUIX_VENV / "bin" / "python"
_QUIX_REQUIREMENTS = _ROOT / "bench" / "quix-requirements.txt"
OURS = "mastery"
"""The name of this project among the contenders."""


@dataclass(frozen=True)
class Stage:
    """Fresh topics for one run, and where its files go."""

    cluster: Cluster
    prefix: str
    partitions: int
    schema: dict[str, Any]
    schema_id: int
    folder: Path
    processes: int = 1
    """Of this project; the peers have one."""

    @property
    def raw_topic(self) -> str:
        """Where the raw events are."""
        return f"{self.prefix}live-events"

    @property
    def typed_topic(self) -> str:
        """Where the typed records go."""
        return f"{self.prefix}{RESULT_EVENT}"

    @property
    def result_topics(self) -> tuple[str, str]:
        """Where this project's rows come from."""
        return self.typed_topic, f"{self.prefix}learning_outcome_result_updated"

    @property
    def row_topic(self) -> str:
        """Where this project publishes rows of mastery."""
        return f"{self.prefix}outcome_mastery"

    @property
    def changelog_topic(self) -> str:
        """Where this project keeps its state."""
        return f"{self.prefix}mastery-changelog"

    @property
    def dead_letter_topic(self) -> str:
        """Where this project puts what it refuses."""
        return f"{self.prefix}dead-letter"


def _started(command: list[str], environment: dict[str, str], stage: Stage) -> ChildProcess:
    env = {**os.environ, "PYTHONPATH": str(_ROOT), **environment}
    # Not in the checkout: Faust and Quix Streams make folders where they are started.
    child = ChildProcess(command, output=stage.folder / "worker.log", env=env, cwd=stage.folder)
    child.start()
    return child


@dataclass(frozen=True)
class Contender:
    """One program that does the job."""

    name: str
    title: str
    promise: str
    """What it promises about its output."""
    prepare: Callable[[Stage], None]
    """Makes the topics."""
    start: Callable[[Stage], ChildProcess]
    group: Callable[[Stage], str]
    """Its consumer group."""
    python: Path = Path(sys.executable)
    packages: tuple[str, ...] = ()
    """The packages whose versions matter for the figures."""
    install: Callable[[], None] = lambda: None
    """Makes its environment, if it needs one of its own."""

    def versions(self) -> dict[str, str]:
        """Installed versions of its packages."""
        script = "import importlib.metadata as m, sys; print(*(m.version(p) for p in sys.argv[1:]))"
        command = [str(self.python), "-c", script, *self.packages]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return dict(zip(self.packages, found, strict=True))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _mastery_environment(stage: Stage) -> dict[str, str]:
    settings = {
        "BROKER": stage.cluster.bootstrap,
        "TOPIC_PREFIX": stage.prefix,
        "PARTITIONS": str(stage.partitions),
        "REPLICATION_FACTOR": "1",
        "STATE_DIR": str(stage.folder / "state"),
    }
    return {f"MASTERY_{name}": value for name, value in settings.items()}


def _apply_topics(stage: Stage) -> None:
    command = [sys.executable, "-m", "app.cli", "topics", "apply"]
    environment = {**os.environ, **_mastery_environment(stage)}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailed(f"mastery topics apply: {done.stderr or done.stdout}")


def start_worker(stage: Stage, **variables: str) -> ChildProcess:
    """Start this project's worker on the stage; `variables` are more of its environment."""
    environment = {**_mastery_environment(stage), "MASTERY_WEB_PORT": str(_free_port()), **variables}
    several = [] if stage.processes == 1 else ["--processes", str(stage.processes)]
    return _started([sys.executable, "-m", "app.cli", "worker", *several], environment, stage)


def _make_topics(stage: Stage) -> None:
    stage.cluster.create([stage.raw_topic, stage.typed_topic], stage.partitions)


def _peer_group(stage: Stage) -> str:
    return f"{stage.prefix}peer"


def _peer(
    module: str, *arguments: str, python: Path = Path(sys.executable), **variables: str
) -> Callable[[Stage], ChildProcess]:
    def start(stage: Stage) -> ChildProcess:
        task = {
            "broker": stage.cluster.bootstrap,
            "raw_topic": stage.raw_topic,
            "typed_topic": stage.typed_topic,
            "group": _peer_group(stage),
            "schema": stage.schema,
            "schema_id": stage.schema_id,
            "partitions": stage.partitions,
        }
        command = [str(python), "-m", f"bench.peers.{module}", *arguments]
        return _started(command, {TASK_VARIABLE: json.dumps(task), **variables}, stage)

    return start


def _install_quix() -> None:
    if _QUIX_PYTHON.exists():
        return
    print(f"making {_QUIX_VENV.relative_to(_ROOT)} for the Quix Streams peer", flush=True)
    venv.create(_QUIX_VENV, with_pip=True)
    pip = [str(_QUIX_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(_QUIX_REQUIREMENTS)], check=True)


def _make_topics_and_changelog(stage: Stage) -> None:
    _make_topics(stage)
    stage.cluster.create([f"{_peer_group(stage)}-last_results-changelog"], stage.partitions)


# Quieter than info is slower: then its root logger goes to DEBUG for the progress spinner.
_FAUST_WORKER = ("worker", "--without-web", "-l", "info")

CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender(
            OURS,
            "this project",
            "exactly once",
            _apply_topics,
            # The peers show nothing in a browser: what that costs, bench.web tells.
            lambda stage: start_worker(stage, MASTERY_WEB_VIEW="false"),
            lambda stage: f"{stage.prefix}mastery-stream",
            packages=("faust-streaming", "aiokafka", "confluent-kafka", "msgspec"),
        ),
        Contender(
            "confluent-loop",
            "confluent-kafka loop",
            "at least once",
            _make_topics,
            _peer("confluent_loop"),
            _peer_group,
            packages=("confluent-kafka", "fastavro", "msgspec"),
        ),
        Contender(
            "quix",
            "Quix Streams",
            "at least once",
            _make_topics,
            _peer("quix", python=_QUIX_PYTHON),
            _peer_group,
            python=_QUIX_PYTHON,
            packages=("quixstreams", "confluent-kafka", "fastavro", "msgspec"),
            install=_install_quix,
        ),
        Contender(
            "tuned-faust",
            "plain Faust, producer tuned",
            "at least once",
            _make_topics,
            _peer("plain_faust", *_FAUST_WORKER, FAUST_PRODUCER="tuned"),
            _peer_group,
            packages=("faust-streaming", "aiokafka", "fastavro", "msgspec"),
        ),
        Contender(
            "plain-faust",
            "plain Faust",
            "at least once",
            _make_topics,
            _peer("plain_faust", *_FAUST_WORKER),
            _peer_group,
            packages=("faust-streaming", "aiokafka", "fastavro", "msgspec"),
        ),
    )
}
"""Everyone, in the order of a round."""

MASTERY_CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        CONTENDERS[OURS],
        Contender(
            "quix",
            "Quix Streams",
            "at least once",
            _make_topics,
            _peer("quix_state", python=_QUIX_PYTHON),
            _peer_group,
            python=_QUIX_PYTHON,
            packages=("quixstreams", "confluent-kafka", "fastavro", "msgspec", "rocksdict"),
            install=_install_quix,
        ),
        Contender(
            "tuned-faust",
            "plain Faust, producer tuned",
            "at least once",
            _make_topics_and_changelog,
            _peer("faust_table", *_FAUST_WORKER, FAUST_PRODUCER="tuned"),
            _peer_group,
            packages=("faust-streaming", "aiokafka", "fastavro", "msgspec"),
        ),
        Contender(
            "plain-faust",
            "plain Faust",
            "at least once",
            _make_topics_and_changelog,
            _peer("faust_table", *_FAUST_WORKER),
            _peer_group,
            packages=("faust-streaming", "aiokafka", "fastavro", "msgspec"),
        ),
    )
}
"""Those of bench/mastery.py."""

"""What one run has to itself: fresh topics, a folder for its files, and the processes that do the work."""

import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded.child import ChildProcess
from app.schemas.contract import load_contract
from bench.broker import Cluster
from bench.measure import ProcessTree, RunFailed
from bench.workload import RESULT_EVENT

__all__ = ["Crew", "Stage", "apply_topics", "open_stage", "ours_environment", "start_worker", "started"]

_ROOT = Path(__file__).resolve().parent.parent


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
    def group(self) -> str:
        """The consumer group of this project's workers."""
        return f"{self.prefix}mastery-stream"

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


@contextmanager
def open_stage(cluster: Cluster, partitions: int, processes: int = 1) -> Iterator[Stage]:
    """A stage whose topics and files are gone afterwards."""
    event = load_contract().events[RESULT_EVENT]
    prefix = f"bench{uuid.uuid4().hex[:8]}."
    with tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder:
        try:
            yield Stage(cluster, prefix, partitions, event.schema, event.local_id, Path(folder), processes)
        finally:
            cluster.delete(prefix)


class Crew:
    """The processes of a contender: one as a rule."""

    def __init__(self, children: Sequence[ChildProcess]) -> None:
        self._children = list(children)

    @property
    def tree(self) -> ProcessTree:
        """All of them with their children, for figures."""
        return ProcessTree(*(child.pid for child in self._children))

    @property
    def running(self) -> bool:
        """Whether all of them live."""
        return all(child.running for child in self._children)

    def tail(self) -> str:
        """The last lines of what they logged."""
        return "\n".join(child.tail() for child in self._children)

    def stop(self, timeout: float) -> int:
        """SIGTERM, and SIGKILL after `timeout` seconds. Gives 0 when all of them ended with 0."""
        return max([abs(child.stop(timeout) or 0) for child in self._children], default=0)


def started(
    command: Sequence[str | Path], environment: Mapping[str, str], stage: Stage, log: str = "worker.log"
) -> ChildProcess:
    """A process of a contender, started."""
    env = {**os.environ, "PYTHONPATH": str(_ROOT), **environment}
    # Not in the checkout: Faust and Quix Streams make folders where they are started.
    child = ChildProcess(list(command), output=stage.folder / log, env=env, cwd=stage.folder)
    child.start()
    return child


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ours_environment(stage: Stage, state: str = "state") -> dict[str, str]:
    """Settings of this project on the stage; the state is in the folder `state` of it."""
    settings = {
        "BROKER": stage.cluster.bootstrap,
        "TOPIC_PREFIX": stage.prefix,
        "PARTITIONS": str(stage.partitions),
        "REPLICATION_FACTOR": "1",
        "STATE_DIR": str(stage.folder / state),
        "WEB_PORT": str(_free_port()),
    }
    return {f"MASTERY_{name}": value for name, value in settings.items()}


def apply_topics(stage: Stage) -> None:
    """Make this project's topics. Raises RunFailed."""
    command = [sys.executable, "-m", "app.cli", "topics", "apply"]
    environment = {**os.environ, **ours_environment(stage)}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailed(f"mastery topics apply: {done.stderr or done.stdout}")


def start_worker(stage: Stage, *, state: str = "state", **variables: str) -> ChildProcess:
    """Start this project's worker on the stage; `variables` are more of its environment."""
    several = [] if stage.processes == 1 else ["--processes", str(stage.processes)]
    command = [sys.executable, "-m", "app.cli", "worker", *several]
    log = "worker.log" if state == "state" else f"{state}.log"
    return started(command, {**ours_environment(stage, state), **variables}, stage, log)

"""Who takes part, and how each is started: this project's own command, and its peers."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.environments import QUIX, TOOLS
from bench.peers.job import TASK_VARIABLE
from bench.stage import Crew, Stage, apply_topics, ours_environment, start_worker, started
from bench.streams_build import STREAMS_VERSIONS, build_streams

__all__ = ["CONTENDERS", "MASTERY_CONTENDERS", "OURS", "Contender", "Stage", "start_worker"]

OURS = "mastery"
"""The name of this project among the contenders."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """One program that does the job."""

    name: str
    title: str
    promise: str
    """What it promises about its output."""
    prepare: Callable[[Stage], None]
    """Makes the topics."""
    start: Callable[[Stage], Crew]
    group: Callable[[Stage], str]
    """Its consumer group."""
    python: Path = Path(sys.executable)
    packages: tuple[str, ...] = ()
    """The packages whose versions matter for the figures."""
    others: tuple[tuple[str, str], ...] = ()
    """Versions of what is no Python package."""
    install: Callable[[], None] = _nothing
    """Makes its environment, if it needs one of its own."""
    share: float = 1.0
    """The part of a run's events that it gets: slow ones would take minutes, and their rate is the same."""
    rounds: int = 1_000
    """It takes part in so many rounds at most."""
    ours: bool = False
    """It is this project."""

    def versions(self) -> dict[str, str]:
        """Installed versions of its packages."""
        script = "import importlib.metadata as m, sys; print(*(m.version(p) for p in sys.argv[1:]))"
        command = [str(self.python), "-c", script, *self.packages]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return dict(zip(self.packages, found, strict=True)) | dict(self.others)


def _task(stage: Stage) -> str:
    return json.dumps(
        {
            "broker": stage.cluster.bootstrap,
            "raw_topic": stage.raw_topic,
            "typed_topic": stage.typed_topic,
            "group": _peer_group(stage),
            "schema": stage.schema,
            "schema_id": stage.schema_id,
            "partitions": stage.partitions,
            "folder": str(stage.folder),
        }
    )


def _make_topics(stage: Stage) -> None:
    stage.cluster.create([stage.raw_topic, stage.typed_topic], stage.partitions)


def _make_topics_and_changelog(stage: Stage) -> None:
    _make_topics(stage)
    stage.cluster.create([f"{_peer_group(stage)}-last_results-changelog"], stage.partitions)


def _peer_group(stage: Stage) -> str:
    return f"{stage.prefix}peer"


def _peer(
    module: str, *arguments: str, python: Path = Path(sys.executable), **variables: str
) -> Callable[[Stage], Crew]:
    def start(stage: Stage) -> Crew:
        command = [str(python), "-m", f"bench.peers.{module}", *arguments]
        return Crew([started(command, {TASK_VARIABLE: _task(stage), **variables}, stage)])

    return start


def _build() -> None:
    build_streams()


def _streams(threads: int, *, exactly_once: bool, state: bool, rounds: int = 1_000) -> Contender:
    guarantee = "exactly_once_v2" if exactly_once else "at_least_once"

    def start(stage: Stage) -> Crew:
        job = [guarantee, str(threads), str(stage.folder / "state"), "state" if state else "fan-out"]
        # By default the heap may take a quarter of the machine's memory, which is not what anyone runs.
        java = ["java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        command = [*java, "-cp", build_streams(), "bench.Main", *job]
        return Crew([started(command, {TASK_VARIABLE: _task(stage)}, stage)])

    number = f"{threads} thread{'s' if threads > 1 else ''}"
    return Contender(
        f"streams-{threads}" if exactly_once else f"streams-{threads}-alo",
        f"Kafka Streams (Java), {number}",
        "exactly once" if exactly_once else "at least once",
        _make_topics,
        start,
        _peer_group,
        others=tuple(STREAMS_VERSIONS.items()),
        install=_build,
        rounds=rounds,
    )


def _ours_with_mastery(processes: int) -> Contender:
    # The peers show nothing in a browser: what that costs, bench.web tells.
    return Contender(
        OURS if processes == 1 else f"{OURS}-{processes}",
        "this project" if processes == 1 else f"this project, {processes} processes",
        "exactly once",
        apply_topics,
        lambda stage: Crew([start_worker(replace(stage, processes=processes), MASTERY_WEB_VIEW="false")]),
        lambda stage: stage.group,
        packages=_OURS_PACKAGES,
        ours=True,
    )


def _ours_alone(stage: Stage) -> Crew:
    return Crew([started([sys.executable, "-m", "bench.fanout_worker"], ours_environment(stage), stage)])


_OURS_PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "msgspec")
_FAUST_PACKAGES = ("faust-streaming", "aiokafka", "fastavro", "msgspec")
# Quieter than info is slower: then its root logger goes to DEBUG for the progress spinner.
_FAUST_WORKER = ("worker", "--without-web", "-l", "info")


def _quix(module: str, *packages: str) -> Contender:
    return Contender(
        "quix",
        "Quix Streams",
        "at least once",
        _make_topics,
        _peer(module, python=QUIX.python),
        _peer_group,
        python=QUIX.python,
        packages=("quixstreams", "confluent-kafka", "fastavro", "msgspec", *packages),
        install=QUIX.install,
        rounds=2,
    )


def _faust(module: str, prepare: Callable[[Stage], None], *, tuned: bool, share: float) -> Contender:
    return Contender(
        "tuned-faust" if tuned else "plain-faust",
        "plain Faust, producer tuned" if tuned else "plain Faust",
        "at least once",
        prepare,
        _peer(module, *_FAUST_WORKER, FAUST_PRODUCER="tuned" if tuned else "as it comes"),
        _peer_group,
        packages=_FAUST_PACKAGES,
        share=share,
        rounds=2,
    )


def _by_name(*contenders: Contender) -> dict[str, Contender]:
    return {contender.name: contender for contender in contenders}


CONTENDERS: dict[str, Contender] = _by_name(
    Contender(
        OURS,
        "this project",
        "exactly once",
        apply_topics,
        _ours_alone,
        lambda stage: stage.group,
        packages=_OURS_PACKAGES,
        ours=True,
    ),
    _streams(1, exactly_once=True, state=False),
    _streams(2, exactly_once=True, state=False),
    _streams(1, exactly_once=False, state=False, rounds=2),
    Contender(
        "confluent-loop",
        "confluent-kafka loop",
        "at least once",
        _make_topics,
        _peer("confluent_loop"),
        _peer_group,
        packages=("confluent-kafka", "fastavro", "msgspec"),
    ),
    _quix("quix"),
    _faust("plain_faust", _make_topics, tuned=True, share=0.2),
    _faust("plain_faust", _make_topics, tuned=False, share=0.1),
)
"""Everyone, in the order of a round. Of this project the router alone (bench/fanout_worker.py)."""

MASTERY_CONTENDERS: dict[str, Contender] = _by_name(
    _ours_with_mastery(1),
    _ours_with_mastery(2),
    _streams(1, exactly_once=True, state=True),
    _streams(2, exactly_once=True, state=True),
    _streams(1, exactly_once=False, state=True, rounds=2),
    Contender(
        "confluent-loop",
        "confluent-kafka loop, RocksDB",
        "at least once",
        _make_topics_and_changelog,
        _peer("loop_state", python=TOOLS.python),
        _peer_group,
        python=TOOLS.python,
        packages=("confluent-kafka", "fastavro", "msgspec", "rocksdict"),
        install=TOOLS.install,
    ),
    _quix("quix_state", "rocksdict"),
    _faust("faust_table", _make_topics_and_changelog, tuned=True, share=0.3),
    _faust("faust_table", _make_topics_and_changelog, tuned=False, share=0.2),
)
"""Those of bench/mastery.py."""

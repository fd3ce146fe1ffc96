"""This project's worker for workloads without peers: started on a stage, waited for until it is at rest."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.harness import STOP_SECONDS
from bench.mastery_workload import OUTCOME_EVENT, definitions
from bench.measure import ProcessTree, RunFailed
from bench.stage import Crew, Stage, apply_topics, start_worker
from bench.workload import deliver

__all__ = ["at_rest", "caught_up", "prepared", "running"]

_QUIET_SECONDS = 2.0
_QUIET_SHARE = 0.15
_TIMEOUT = 600.0


def prepared(stage: Stage) -> None:
    """Make the topics, tell of the outcomes, and say that the group is to begin at the beginning."""
    apply_topics(stage)
    deliver(stage.cluster.bootstrap, f"{stage.prefix}{OUTCOME_EVENT}", definitions())
    # With a typed topic that holds something, a worker of no offsets refuses to begin.
    topics = (stage.raw_topic, *stage.result_topics)
    stage.cluster.commit_beginning(stage.group, topics, stage.partitions)


@contextmanager
def running(stage: Stage, **variables: str) -> Iterator[Crew]:
    """A worker; RunFailed when it does not end well, or with what it logged when the work with it failed."""
    crew = Crew([start_worker(stage, **variables)])
    try:
        yield crew
    except RunFailed as failure:
        raise RunFailed(f"{failure}\n{crew.tail()}") from failure
    finally:
        status = crew.stop(STOP_SECONDS)
    if status:
        raise RunFailed(f"ended with status {status} after SIGTERM\n{crew.tail()}")


def caught_up(stage: Stage) -> bool:
    """Whether all that lies in the inputs is committed."""
    cluster, partitions = stage.cluster, stage.partitions
    return all(
        (at or 0) >= end
        for topic in (stage.raw_topic, *stage.result_topics)
        for end, at in zip(
            cluster.ends(topic, partitions), cluster.committed(stage.group, topic, partitions), strict=True
        )
    )


def at_rest(stage: Stage, crew: Crew) -> float:
    """Wait until a worker owns all partitions, has looked at all rows, and does nothing more.

    Gives when that began (monotonic). Raises RunFailed when it ends or is not at rest after ten minutes.
    """
    deadline = time.monotonic() + _TIMEOUT
    while (
        stage.cluster.owned(stage.group, stage.raw_topic) < stage.partitions
        or _looked_at(stage) < stage.partitions
    ):
        _check(crew, deadline)
        time.sleep(0.2)
    quiet_since, tree = time.monotonic(), crew.tree
    before = tree.cpu_seconds()
    while time.monotonic() < quiet_since + _QUIET_SECONDS:
        _check(crew, deadline)
        time.sleep(0.25)
        now, cpu = time.monotonic(), tree.cpu_seconds()
        if cpu - before > _QUIET_SHARE * 0.25 + 0.02 or not caught_up(stage):
            quiet_since = now
        before = cpu
    return quiet_since


def _looked_at(stage: Stage) -> int:
    """How many partitions' files say up to which definitions their rows agree with them."""
    count = 0
    for path in (stage.folder / "state" / "mastery").glob("[0-9]*.db"):
        with (
            contextlib.suppress(sqlite3.Error),  # a file that is being made
            contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db,
        ):
            count += db.execute("SELECT count(*) FROM meta WHERE name LIKE '%definitions'").fetchone()[0]
    return count


def _check(crew: Crew, deadline: float) -> None:
    if not crew.running:
        raise RunFailed("the worker ended")
    if time.monotonic() > deadline:
        raise RunFailed("the worker does not come to rest")


def idle_cpu(tree: ProcessTree, seconds: float = 4.0) -> float:
    """The share of a core that processes take now."""
    began, cpu = time.monotonic(), tree.cpu_seconds()
    time.sleep(seconds)
    return (tree.cpu_seconds() - cpu) / (time.monotonic() - began)

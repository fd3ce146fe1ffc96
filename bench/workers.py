"""Fan-out + mastery by several workers: one process each, started together by `--processes` or on their own.

The events come in when the group has settled, all at once from memory, so that no worker has more time than
another. Otherwise as bench/mastery.py, this project alone; twelve partitions.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from time import monotonic, sleep
from typing import Any

from bench.check import check_outputs
from bench.harness import Harness, followed
from bench.mastery import expected_typed
from bench.mastery_check import check_state
from bench.mastery_workload import placed
from bench.measure import Figures, RunFailed
from bench.ours import caught_up, prepared
from bench.rounds import attempt
from bench.stage import Crew, Stage, open_stage, start_worker
from bench.workload import deliver

__all__ = ["FULL", "Sizes", "measure"]

_SETTLE_TIMEOUT = 90.0


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    events: int = 60_000
    users: int = 1_200
    rounds: int = 1
    partitions: int = 12
    workers: str = "1,2"
    """Of `--processes`, with commas between; 2s: two workers that were each started on their own."""


FULL = Sizes(events=120_000, users=1_800, rounds=2, workers="1,2,4")


def _crew(stage: Stage, workers: str) -> Crew:
    number = int(workers.removesuffix("s"))
    if not workers.endswith("s"):
        return Crew([start_worker(replace(stage, processes=number), MASTERY_WEB_VIEW="false")])
    names = [f"state-{each}" for each in range(number)]
    return Crew([start_worker(stage, state=name, MASTERY_WEB_VIEW="false") for name in names])


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """Rounds of all numbers of workers."""
    runs = []
    for number in range(1, sizes.rounds + 1):
        for workers in sizes.workers.split(","):

            def one(workers: str = workers) -> Figures:
                with open_stage(harness.cluster, sizes.partitions) as stage:
                    return _run(harness, stage, workers, sizes)

            runs.append(asdict(attempt("workers", number, workers, one)))
    return {"runs": runs}


def _run(harness: Harness, stage: Stage, workers: str, sizes: Sizes) -> Figures:
    prepared(stage)
    cluster, partitions, events = stage.cluster, stage.partitions, sizes.events
    records = list(placed(events, sizes.users, partitions))
    crew = _crew(stage, workers)
    try:
        _settled(stage, crew, int(workers.removesuffix("s")))
        deliver(cluster.bootstrap, stage.raw_topic, records)
    except BaseException:
        crew.stop(1.0)
        raise

    def mastered() -> int:
        return sum(offset or 0 for offset in cluster.committed(stage.group, stage.typed_topic, partitions))

    def done() -> bool:
        return mastered() >= events and caught_up(stage)

    figures = followed(harness, crew, events, visible=mastered, committed=done, clean_end=True)
    check_outputs(cluster, stage.typed_topic, partitions, expected_typed(events, sizes.users))
    check_state(stage, events, sizes.users)
    return figures


def _settled(stage: Stage, crew: Crew, members: int) -> None:
    """Wait until all workers are members and own all partitions. Raises RunFailed."""
    deadline = monotonic() + _SETTLE_TIMEOUT
    settled: Callable[[], bool] = lambda: (  # noqa: E731
        stage.cluster.members(stage.group) == members
        and stage.cluster.owned(stage.group, stage.raw_topic) == stage.partitions
    )
    while not settled():
        if not crew.running or monotonic() > deadline:
            raise RunFailed(f"the workers did not settle\n{crew.tail()}")
        sleep(0.2)
    # Members that own partitions still open their files.
    sleep(3.0)

"""The one shape of all workloads: a Kafka, sizes, rounds of runs that count or are void, a JSON file.

A workload is a module with `Sizes` (a frozen dataclass: what a short run takes; `FULL` the whole) and
`measure(harness, sizes)`, which gives what goes into its file. `python -m bench` runs them.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.broker import Cluster
from bench.contenders import Contender
from bench.measure import Figures, ProcessTree, RunFailed, watch
from bench.rounds import Run, attempt, commit
from bench.stage import Crew, Stage, open_stage

__all__ = ["RESULTS", "STOP_SECONDS", "Harness", "followed", "in_rounds", "named", "told"]

RESULTS = Path(__file__).resolve().parent / "results"
STOP_SECONDS = 40.0


@dataclass(frozen=True)
class Harness:
    """A Kafka that is there for all workloads of one command."""

    cluster: Cluster
    broker: ProcessTree | None
    kafka: str
    """What it is, in words."""
    command: str

    def save(
        self, name: str, sizes: Any, before: dict[str, Any], found: dict[str, Any], *, full: bool
    ) -> Path:
        """Write a workload's figures with how they were taken, and the machine as it was `before`."""
        result = {
            "workload": name,
            "command": self.command,
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "machine": before,
            "kafka": self.kafka,
            "sizes": asdict(sizes),
            **found,
        }
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / (f"{name}.json" if full else f"{name}.local.json")
        path.write_text(json.dumps(result, indent=1) + "\n")
        return path


def named(known: dict[str, Contender], names: str) -> list[Contender]:
    """The contenders of a list with commas between. Raises ValueError for an unknown one."""
    wanted = names.split(",")
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted]


def told(contenders: Iterable[Contender]) -> list[dict[str, Any]]:
    """What a result file says of those who took part."""
    return [
        {
            "name": c.name,
            "title": c.title,
            "promise": c.promise,
            "share": c.share,
            "versions": c.versions(),
        }
        for c in contenders
    ]


def in_rounds(
    harness: Harness,
    workload: str,
    rounds: int,
    partitions: int,
    contenders: Sequence[Contender],
    run: Callable[[Contender, Stage], Figures],
) -> list[dict[str, Any]]:
    """Every contender once, then every contender again, each on a stage of its own."""
    for contender in contenders:
        contender.install()
    runs: list[Run] = []
    for number in range(1, rounds + 1):
        for contender in contenders:
            if number > contender.rounds:
                continue

            def one(contender: Contender = contender) -> Figures:
                with open_stage(harness.cluster, partitions) as stage:
                    return run(contender, stage)

            runs.append(attempt(workload, number, contender.name, one))
    return [asdict(run) for run in runs]


def followed(
    harness: Harness,
    crew: Crew,
    events: int,
    *,
    visible: Callable[[], int],
    committed: Callable[[], bool],
    clean_end: bool,
) -> Figures:
    """Watch processes until all is done, stop them. Raises RunFailed, with the end of their log.

    `clean_end`: they must end with status 0.
    """
    try:
        figures = watch(
            crew.tree,
            harness.broker,
            events,
            visible=visible,
            committed=committed,
            alive=lambda: crew.running,
        )
    except RunFailed as failure:
        raise RunFailed(f"{failure}\n{crew.tail()}") from failure
    finally:
        status = crew.stop(STOP_SECONDS)
    if clean_end and status:
        raise RunFailed(f"ended with status {status} after SIGTERM\n{crew.tail()}")
    return figures

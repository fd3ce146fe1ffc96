"""What the cost of a worker depends on: rows that there are, and partitions that it owns.

* **rows**: so many rows, three results each, lie in the changelog. A worker restores them, looks at all of
  them once, as it must after a restore, and comes to rest; then results of them come in at full speed.
* **partitions**: a worker that owns so many, with few rows: at full speed, and then at rest.

Void when results are missing in the end, or the files do not hold all rows. `python -m bench.model` makes of
it what a number of students costs.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.harness import Harness
from bench.live import FIRST
from bench.mastery_restore import made_rows, rows_in_files, student_uuid
from bench.measure import RunFailed, watch
from bench.ours import at_rest, caught_up, idle_cpu, prepared, running
from bench.rounds import FAILURES, reason
from bench.stage import Stage, open_stage
from bench.workload import OUTCOMES, deliver, result_event

__all__ = ["FULL", "Sizes", "measure"]

_PRIME = 7_368_787


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    rows: str = "10000,100000"
    partitions: str = "1,12"
    events: int = 40_000
    partitions_of_rows: int = 12


FULL = Sizes(rows="10000,100000,500000,2000000", partitions="1,4,16,64", events=60_000)


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """All numbers of rows, then of partitions."""
    runs: list[dict[str, Any]] = []

    def one(kind: str, number: int, partitions: int, run: Callable[[Stage], dict[str, Any]]) -> None:
        try:
            with open_stage(harness.cluster, partitions) as stage:
                found = {"kind": kind, "number": number, **run(stage), "void": None}
        except FAILURES as failure:
            found = {"kind": kind, "number": number, "void": reason("scaling", failure)}
        print(f"scaling  {found}", flush=True)
        runs.append(found)

    for rows in map(int, sizes.rows.split(",")):
        one("rows", rows, sizes.partitions_of_rows, lambda stage, n=rows: _run(harness, stage, n, sizes))  # type: ignore[misc]
    for partitions in map(int, sizes.partitions.split(",")):
        one("partitions", partitions, partitions, lambda stage: _run(harness, stage, 10_000, sizes))
    return {"runs": runs}


def _run(harness: Harness, stage: Stage, rows: int, sizes: Sizes) -> dict[str, Any]:
    prepared(stage)
    cluster, partitions = stage.cluster, stage.partitions
    deliver(cluster.bootstrap, stage.changelog_topic, made_rows(rows, partitions))
    records = [(number % partitions, None, _event(number, rows)) for number in range(sizes.events)]
    began = time.monotonic()
    with running(stage, MASTERY_WEB_VIEW="false") as crew:
        ready = at_rest(stage, crew)
        tree = crew.tree
        start_cpu, rss = tree.cpu_seconds(), tree.memory_mb("VmRSS")
        deliver(cluster.bootstrap, stage.raw_topic, records)

        def mastered() -> int:
            return sum(
                offset or 0 for offset in cluster.committed(stage.group, stage.typed_topic, partitions)
            )

        figures = watch(
            tree,
            harness.broker,
            sizes.events,
            visible=mastered,
            committed=lambda: caught_up(stage),
            alive=lambda: crew.running,
        )
        idle = idle_cpu(tree)
    folder = stage.folder / "state" / "mastery"
    if (found := rows_in_files(folder)) != rows:
        raise RunFailed(f"{found:,} rows in the files instead of {rows:,}")
    typed = sum(1 for _ in cluster.read(stage.typed_topic, partitions))
    if typed != sizes.events:
        raise RunFailed(f"{typed:,} typed records of {sizes.events:,} results")
    return {
        "ready_after": round(ready - began, 2),
        "ready_cpu": round(start_cpu, 2),
        "rss_at_rest_mb": round(rss, 1),
        "disk_mb": round(_bytes_below(folder) / 1e6, 2),
        "idle_cores": round(idle, 4),
        **asdict(figures),
    }


def _event(number: int, rows: int) -> bytes:
    """Result `number` of one of the rows: all alike often, neighbours not one after another."""
    student, outcome = divmod(number * _PRIME % (rows // OUTCOMES * OUTCOMES), OUTCOMES)
    return result_event(FIRST + number, user=student_uuid(student), outcome=outcome + 1)


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

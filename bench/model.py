"""What a number of students costs, reckoned from the measured coefficients: `python -m bench.model 1000000`.

The coefficients come from bench/results (mastery, restore, scaling), so they change when these are measured
anew. What is assumed of a school is in `School`, and said along with the result.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.harness import RESULTS
from bench.tables import OURS, by_round, table

__all__ = ["Coefficients", "School", "cost", "main", "model_section"]

Result = dict[str, Any]


@dataclass(frozen=True)
class School:
    """What is assumed of the students."""

    rows_each: int = 40
    """Outcomes in which a student has results."""
    results_each_day: float = 2.0
    """On a school day; a rubric of five criteria on two days a week, say."""
    peak: float = 10.0
    """The busiest minute over the mean of eight hours."""
    headroom: float = 0.5
    """The share of a worker's full speed that the busiest minute may take."""
    events_to_one: float = 2.0
    """Events of the raw topic for each result, rubric_assessed above all."""
    event_bytes: int = 1_200
    raw_days: int = 14


@dataclass(frozen=True)
class Coefficients:
    """What was measured."""

    results_per_second: float
    """Of one worker, one core."""
    disk_per_row: float
    """Bytes, of a state file, at rest."""
    base_mb: float
    """Memory of a worker at rest."""
    mb_per_partition: float
    restore_rows_per_second: float
    """With indexes."""
    look_cpu_per_row: float
    """CPU seconds of looking at each row once after a restore, and restoring it."""

    @classmethod
    def of(cls, results: Mapping[str, Result]) -> "Coefficients":
        """From the result files. Raises KeyError where one is missing."""
        ours = by_round(results["mastery"], "mastery", OURS)
        scaling = [run for run in results["scaling"]["runs"] if not run["void"]]
        by_rows = sorted((run for run in scaling if run["kind"] == "rows"), key=lambda run: run["number"])
        by_parts = sorted(
            (run for run in scaling if run["kind"] == "partitions"), key=lambda run: run["number"]
        )
        first, last = by_rows[0], by_rows[-1]
        few, many = by_parts[0], by_parts[-1]
        rows = last["number"] - first["number"]
        per_partition = (many["rss_at_rest_mb"] - few["rss_at_rest_mb"]) / (many["number"] - few["number"])
        return cls(
            results_per_second=median(f["events_per_second"] for f in ours.values()),
            disk_per_row=(last["disk_mb"] - first["disk_mb"]) * 1e6 / rows,
            base_mb=few["rss_at_rest_mb"] - per_partition * few["number"],
            mb_per_partition=max(per_partition, 0.0),
            restore_rows_per_second=median(
                run["rows_per_second"] for run in results["restore"]["runs"] if not run["void"]
            ),
            look_cpu_per_row=(last["ready_cpu"] - first["ready_cpu"]) / rows,
        )


@dataclass(frozen=True)
class Cost:
    """Of a number of students."""

    students: int
    rows: int
    results_a_second: float
    """In the busiest minute."""
    workers: int
    partitions: int
    disk_gb: float
    """Of all workers' state files."""
    memory_gb: float
    """Of all workers."""
    raw_gb: float
    """Of the raw topic, one copy, not compressed."""
    restore_minutes: float
    """All workers at once, each its share, until rows are served again."""
    agree_minutes: float
    """Until all of them have been looked at, too."""


def cost(students: int, measured: Coefficients, school: School) -> Cost:
    """The arithmetic."""
    rows = students * school.rows_each
    mean = students * school.results_each_day / (8 * 3600)
    peak = mean * school.peak
    workers = max(1, math.ceil(peak / (measured.results_per_second * school.headroom)))
    # More than there are workers, for later; they can never be changed without making all state anew.
    partitions = max(12, 2 ** math.ceil(math.log2(workers * 4)))
    memory = workers * measured.base_mb + partitions * measured.mb_per_partition
    return Cost(
        students=students,
        rows=rows,
        results_a_second=peak,
        workers=workers,
        partitions=partitions,
        disk_gb=rows * measured.disk_per_row / 1e9,
        memory_gb=memory / 1e3,
        raw_gb=students
        * school.results_each_day
        * school.events_to_one
        * school.event_bytes
        * school.raw_days
        / 1e9,
        restore_minutes=rows / workers / measured.restore_rows_per_second / 60,
        agree_minutes=rows / workers * measured.look_cpu_per_row / 60,
    )


def model_section(
    results: Mapping[str, Result], students: Sequence[int] = (100_000, 1_000_000, 5_000_000)
) -> str:
    """Coefficients, assumptions and the costs, as Markdown. Raises KeyError where a result is missing."""
    measured, school = Coefficients.of(results), School()
    coefficients = [
        ("results a second of one worker, all of a core", f"{measured.results_per_second:,.0f}"),
        ("bytes of state file a row, three results in it", f"{measured.disk_per_row:,.0f}"),
        ("memory of a worker at rest, without its partitions, MB", f"{measured.base_mb:.0f}"),
        ("and for each partition, MB", f"{measured.mb_per_partition:.1f}"),
        ("rows a second restored, with indexes", f"{measured.restore_rows_per_second:,.0f}"),
        (
            "CPU us a row to restore it and look at it once",
            f"{measured.look_cpu_per_row * 1e6:.0f}",
        ),
    ]
    costs = [cost(number, measured, school) for number in students]
    head = ["", *(f"{one.students:,} students" for one in costs)]
    lines = [
        ["rows", *(f"{one.rows:,}" for one in costs)],
        ["results a second, busiest minute", *(f"{one.results_a_second:,.0f}" for one in costs)],
        ["workers, a core each", *(str(one.workers) for one in costs)],
        ["partitions", *(str(one.partitions) for one in costs)],
        ["state files, all workers, GB", *(f"{one.disk_gb:,.1f}" for one in costs)],
        ["memory at rest, all workers, GB", *(f"{one.memory_gb:.1f}" for one in costs)],
        ["raw topic of 14 days, one copy, not compressed, GB", *(f"{one.raw_gb:,.0f}" for one in costs)],
        ["restore of lost files, minutes", *(f"{one.restore_minutes:.1f}" for one in costs)],
        ["until all rows are looked at as well, minutes", *(f"{one.agree_minutes:.1f}" for one in costs)],
    ]
    assumed = (
        f"Assumed: {school.rows_each} outcomes with results a student, {school.results_each_day:g} results a "
        f"student and school day, the busiest minute {school.peak:g} times the mean of eight hours, workers "
        f"at {school.headroom:.0%} of their speed then, {school.events_to_one:g} raw events a result."
    )
    return "\n".join([*table(["measured", ""], coefficients), "", assumed, "", *table(head, lines), ""])


def main(argv: list[str] | None = None) -> int:
    """Print the section for some numbers of students."""
    parser = argparse.ArgumentParser(prog="python -m bench.model", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("students", nargs="*", type=int, default=[100_000, 1_000_000, 5_000_000])
    arguments = parser.parse_args(argv)
    names = ("mastery", "restore", "scaling")
    paths = {name: RESULTS / f"{name}.json" for name in names}
    if missing := [name for name, path in paths.items() if not path.exists()]:
        print(f"error: not measured: {', '.join(missing)} (python -m bench NAME --full)", file=sys.stderr)
        return 1
    results = {name: json.loads(path.read_text()) for name, path in paths.items()}
    print(model_section(results, arguments.students))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The goals, and whether they are reached: read from the result files, so that no text can say otherwise."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from bench.tables import OURS, by_round, ratios, table

__all__ = ["goals_table"]

Result = dict[str, Any]


def _pair(
    results: Mapping[str, Result], name: str, workload: str, peer: str, figure: str, own: str = OURS
) -> float | None:
    """The median of ours over theirs, pair by pair."""
    if name not in results:
        return None
    result = results[name]
    ours, theirs = (by_round(result, workload, who) for who in (own, peer))
    found = ratios(ours, theirs, lambda a, b: a[figure] / b[figure])
    return median(found) if found else None


def _least(goal: float, seen: float | None, form: str = "{:.2f} times") -> tuple[str, str]:
    if seen is None:
        return "-", "not measured"
    if seen >= goal:
        return form.format(seen), "reached"
    return form.format(seen), f"**not reached**: {seen / goal:.0%} of it"


def _most(goal: float, seen: float | None, form: str = "{:.2f} of it") -> tuple[str, str]:
    if seen is None:
        return "-", "not measured"
    if seen <= goal:
        return form.format(seen), "reached"
    return form.format(seen), f"**not reached**: {seen / goal:.2f} times as much"


def _counted(results: Mapping[str, Result], name: str) -> list[dict[str, Any]]:
    return [run for run in results.get(name, {"runs": []})["runs"] if not run["void"]]


def _latency(results: Mapping[str, Result], which: str) -> float | None:
    found = [run[which]["p99"] for run in _counted(results, "latency") if run["rate"] == 1000]
    return found[0] if found else None


def _restored(results: Mapping[str, Result], figure: str) -> float | None:
    found = [run[figure] for run in _counted(results, "restore") if run["rows"] >= 1_000_000]
    return median(found) if found else None


def _growth(results: Mapping[str, Result]) -> float | None:
    runs = [run for run in _counted(results, "scaling") if run["kind"] == "rows"]
    if len(runs) < 2:
        return None
    return float(runs[-1]["rss_at_rest_mb"] - runs[0]["rss_at_rest_mb"])


def _mixed(results: Mapping[str, Result]) -> float | None:
    if "mixed" not in results:
        return None
    mixed, clean = (by_round(results["mixed"], what, OURS) for what in ("mixed", "clean"))
    found = ratios(mixed, clean, lambda a, b: a["events_per_second"] / b["events_per_second"])
    return median(found) if found else None


def goals_table(results: Mapping[str, Result]) -> str:
    """Goal, what was seen (median of the pairs), and the verdict."""

    def fan(peer: str, figure: str) -> float | None:
        return _pair(results, "fanout", "fan-out", peer, figure)

    def state(peer: str, figure: str, own: str = OURS) -> float | None:
        return _pair(results, "mastery", "mastery", peer, figure, own)

    rate, cpu, warm_rate, warm_cpu = (
        "events_per_second",
        "cpu_per_100k",
        "warm_events_per_second",
        "warm_cpu_per_100k",
    )
    rows = [
        (
            "fan-out: the rate of a warm Kafka Streams, one thread, exactly once",
            _least(1, fan("streams-1", warm_rate)),
        ),
        ("fan-out: no more CPU than it, warm", _most(1, fan("streams-1", warm_cpu))),
        (
            "fan-out: the same beside Kafka Streams that is only at least once: rate",
            _least(1, fan("streams-1-alo", warm_rate)),
        ),
        ("fan-out: and CPU", _most(1, fan("streams-1-alo", warm_cpu))),
        ("fan-out: 20 times plain Faust", _least(20, fan("plain-faust", rate))),
        ("fan-out: 3.5 times Quix Streams", _least(3.5, fan("quix", rate))),
        ("fan-out: 2 times the confluent-kafka loop", _least(2, fan("confluent-loop", rate))),
        (
            "mastery: 1.3 times Kafka Streams, one thread, exactly once, with its simpler state job, warm",
            _least(1.3, state("streams-1", warm_rate)),
        ),
        (
            "mastery: the same with `--processes 2`, as its threads have both cores",
            _least(1.3, state("streams-1", warm_rate, f"{OURS}-2")),
        ),
        ("mastery: at most 0.6 of its CPU, warm", _most(0.6, state("streams-1", warm_cpu))),
        ("mastery: 15 times plain Faust", _least(15, state("plain-faust", rate))),
        ("mastery: 2.5 times Quix Streams", _least(2.5, state("quix", rate))),
        ("mastery: the lowest CPU: Quix Streams", _most(1, state("quix", cpu))),
        ("mastery: the lowest CPU: the confluent-kafka loop", _most(1, state("confluent-loop", cpu))),
        (
            "restore: 100,000 rows/s before indexes",
            _least(100_000, _restored(results, "rows_per_second_before_indexes"), "{:,.0f} rows/s"),
        ),
        (
            "latency at 1,000/s: p99 raw to typed 100 ms",
            _most(100, _latency(results, "typed_ms"), "{:.0f} ms"),
        ),
        (
            "latency at 1,000/s: p99 raw to `outcome_mastery` 200 ms",
            _most(200, _latency(results, "row_ms"), "{:.0f} ms"),
        ),
        (
            "memory: under 300 MB with 1,000,000 rows in 12 partitions (peak of a restore)",
            _most(300, _restored(results, "peak_rss_mb"), "{:.0f} MB"),
        ),
        (
            "memory: flat from 10,000 rows to 2,000,000 (growth at rest, 30 MB taken for flat)",
            _most(30, _growth(results), "{:+.0f} MB"),
        ),
        ("mixed stream: half the clean rate", _least(0.5, _mixed(results), "{:.2f} of it")),
    ]
    return "\n".join(table(["goal", "seen", ""], [(goal, *verdict) for goal, verdict in rows])) + "\n"

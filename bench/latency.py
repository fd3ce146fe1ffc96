"""How long a result takes from the raw topic to its typed record and to its row, at several rates.

One worker as `mastery worker` starts it, its pages included; one rate after another, lowest first. Counted
from the time at which an event was due, see bench/live.py. A run is void when a typed record or a result in a
row is missing or is there twice.
"""

import time
from dataclasses import dataclass
from typing import Any

from bench.harness import Harness
from bench.live import FIRST, Follower, Live, Sender, latencies, percentiles
from bench.measure import RunFailed
from bench.ours import at_rest, caught_up, prepared, running
from bench.rounds import FAILURES, reason
from bench.stage import Crew, Stage, open_stage

__all__ = ["FULL", "Sizes", "measure"]

#: Seconds of a load that do not count.
_SETTLING = 3.0
_DRAIN_SECONDS = 20.0


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    rates: str = "1000"
    """Results a second, with commas between."""
    seconds: float = 12.0
    rows: int = 20_000
    partitions: int = 4


FULL = Sizes(rates="100,1000,5000", seconds=33.0)


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """All rates."""
    runs: list[dict[str, Any]] = []
    with open_stage(harness.cluster, sizes.partitions) as stage:
        prepared(stage)
        with running(stage) as crew:
            at_rest(stage, crew)
            for number, rate in enumerate(map(int, sizes.rates.split(","))):
                # Rows and ids of its own for each rate.
                load = Live(
                    rate, sizes.seconds, sizes.rows, FIRST * (number + 1), first_student=number * 100_000
                )
                try:
                    found = _run(stage, crew, load)
                except FAILURES as failure:
                    found = {"rate": rate, "void": reason("latency", failure)}
                print(_line(found), flush=True)
                runs.append(found)
    return {"runs": runs}


def _run(stage: Stage, crew: Crew, load: Live) -> dict[str, Any]:
    tree = crew.tree
    with Follower(stage) as follower:
        begin = time.monotonic() + 2.0
        sender = Sender(stage, load, begin)
        time.sleep(begin + _SETTLING - time.monotonic())
        cpu = tree.cpu_seconds()
        late = sender.lateness()
        cpu = (tree.cpu_seconds() - cpu) / (time.monotonic() - begin - _SETTLING)
        drained(stage, crew)
        time.sleep(0.5)
    typed, rows = latencies(load, begin, follower.arrivals)
    settled = int(_SETTLING * load.rate)
    return {
        "rate": load.rate,
        "events": load.events - settled,
        "typed_ms": percentiles(typed[settled:]),
        "row_ms": percentiles(rows[settled:]),
        "sender_late_ms": late,
        "worker_cores": round(cpu, 3),
        "void": None,
    }


def drained(stage: Stage, crew: Crew) -> None:
    """Wait until all is committed. Raises RunFailed after 20 s."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while not caught_up(stage):
        if not crew.running or time.monotonic() > deadline:
            raise RunFailed(f"not caught up {_DRAIN_SECONDS:.0f} s after the last event")
        time.sleep(0.2)


def _line(found: dict[str, Any]) -> str:
    if found["void"]:
        return f"latency  {found['rate']:5}/s  VOID: {found['void']}"
    typed, row, late = (found[name] for name in ("typed_ms", "row_ms", "sender_late_ms"))
    return (
        f"latency  {found['rate']:5}/s  typed p50 {typed['p50']:.0f} p99 {typed['p99']:.0f}"
        f" p99.9 {typed['p999']:.0f} ms"
        f"   row p50 {row['p50']:.0f} p99 {row['p99']:.0f} p99.9 {row['p999']:.0f} ms"
        f"   sent late p99 {late['p99']:.1f} ms   {found['worker_cores']:.2f} cores"
    )

"""A change of an outcome that touches many rows, while results come in: how long until all are made anew.

The rows, each with three results, lie in the changelog; a worker restores them and comes to rest. Results of
other rows come in at a steady rate; after some seconds the outcome's mastery points change, by an event in
the raw topic. Told is the time from then until the last of the rows can be read as it must be now, and how
long live results took before and meanwhile. Void when a row is missing, or a live result as in
bench/latency.py.
"""

import time
from dataclasses import dataclass
from typing import Any

from app.schemas.contract import load_contract
from app.schemas.decoder import compile_decoder
from bench.harness import Harness
from bench.latency import drained
from bench.live import FIRST, Arrival, Follower, Live, Sender, latencies, percentiles
from bench.mastery_restore import rows_of_outcome
from bench.mastery_workload import raw_outcome
from bench.measure import RunFailed
from bench.ours import at_rest, prepared, running
from bench.rounds import FAILURES, reason
from bench.stage import Stage, open_stage
from bench.workload import deliver

__all__ = ["FULL", "Sizes", "measure"]

_OUTCOME = 1
_POINTS = 2
_LIVE_STUDENTS = 10_000_000
_FRAMING = 5


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    rows: int = 30_000
    rate: int = 500
    """Live results a second."""
    before: float = 6.0
    """Seconds of them before the change."""
    after: float = 10.0
    """And from the change on, at least as long as it takes."""
    partitions: int = 4


FULL = Sizes(rows=100_000, rate=1000, before=10.0, after=25.0)


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """One change."""
    try:
        with open_stage(harness.cluster, sizes.partitions) as stage:
            found = _run(stage, sizes)
    except FAILURES as failure:
        found = {"void": reason("definition", failure)}
    print(f"definition {found}", flush=True)
    return {"runs": [found]}


def _run(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    prepared(stage)
    bootstrap = stage.cluster.bootstrap
    rows = list(rows_of_outcome(sizes.rows, stage.partitions, _OUTCOME))
    deliver(bootstrap, stage.changelog_topic, rows)
    touched = {key for _, key, _ in rows}
    load = Live(sizes.rate, sizes.before + sizes.after, 20_000, first=FIRST, first_student=_LIVE_STUDENTS)
    with running(stage, MASTERY_WEB_VIEW="false") as crew:
        at_rest(stage, crew)
        tree = crew.tree
        with Follower(stage) as follower:
            begin = time.monotonic() + 2.0
            sender = Sender(stage, load, begin)
            time.sleep(begin + 2.0 - time.monotonic())
            calm = tree.cpu_seconds(), time.monotonic()
            time.sleep(begin + sizes.before - time.monotonic())
            cpu, changed = tree.cpu_seconds(), time.monotonic()
            live_cores = (cpu - calm[0]) / (changed - calm[1])
            deliver(bootstrap, stage.raw_topic, [(0, None, raw_outcome(_OUTCOME, mastery_points=_POINTS))])
            late = sender.lateness()
            drained(stage, crew)
            time.sleep(0.5)
            ended = time.monotonic()
            cpu = tree.cpu_seconds() - cpu
    done = _done(follower.arrivals, touched)
    if done > begin + load.seconds:
        raise RunFailed("rows were still computed when the last live result came: `after` is too short")
    typed, in_rows = latencies(load, begin, follower.arrivals)
    first, at, last = (int((moment - begin) * load.rate) for moment in (begin + 2.0, changed, done))
    return {
        "rows": sizes.rows,
        "rate": sizes.rate,
        "seconds": round(done - changed, 2),
        "rows_per_second": round(sizes.rows / (done - changed)),
        "cpu_us_per_row": round((cpu - live_cores * (ended - changed)) / sizes.rows * 1e6, 1),
        "row_ms_before": percentiles(in_rows[first:at]),
        "row_ms_meanwhile": percentiles(in_rows[at : max(last, at + 1)]),
        "typed_ms_before": percentiles(typed[first:at]),
        "typed_ms_meanwhile": percentiles(typed[at : max(last, at + 1)]),
        "sender_late_ms": late,
        "void": None,
    }


def _done(arrivals: list[Arrival], touched: set[bytes]) -> float:
    """When the last of the touched rows could be read with the new points. Raises RunFailed."""
    decode = compile_decoder(load_contract().derived["outcome_mastery"].schema)
    left, last = set(touched), 0.0
    for arrival in arrivals:
        if arrival.key in left and decode(arrival.value[_FRAMING:])["mastery_points"] == _POINTS:
            left.remove(arrival.key)
            last = arrival.at
    if left:
        raise RunFailed(f"{len(left)} of {len(touched)} rows were not computed again in time")
    return last

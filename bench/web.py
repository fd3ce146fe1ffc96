"""Whether look-ups in the web view slow the stream, and how long they take meanwhile.

A real Kafka, one worker, a million rows in its state: they are written to the changelog, from which the
worker restores them. Then it takes in results of these students, so many at a time, while 200 look-ups a
second come, or none, in turns: off, on, on, off. A turn lasts from the first result sent until all are
committed, in the fan-out and as rows. Of the look-ups 95 % are of a student (by uuid, any of them), the
others are pages of lists. The web server is a process of its own, whose processor time is told apart.

    python -m bench.web                                   some ten minutes
    python -m bench.web --rows 50000 --events 20000 --pairs 2
    python -m bench.web --steady 1000 --events 20000 --pairs 2        results at a steady rate
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.embedded.child import ChildProcess
from bench.contenders import MASTERY_CONTENDERS, OURS, Stage, start_worker
from bench.mastery_restore import made_rows, student_uuid
from bench.mastery_workload import OUTCOME_EVENT, definitions
from bench.measure import ProcessTree
from bench.rounds import commit, machine, open_cluster
from bench.web_load import Answered, Load
from bench.workload import ACCOUNT, OUTCOMES, deliver, feed, result_event
from tests.support.ports import stable_port

__all__ = ["main"]

_OURS = MASTERY_CONTENDERS[OURS]
_EACH = 10
_PRIME = 7_368_787
_SETTLE = 1.5
_READY_WITHIN = 900.0
_STALLED_AFTER = 300.0
_LISTS = (
    "/api/mastery",
    "/api/mastery?sort=-score",
    "/api/mastery?course=7",
    "/api/mastery?outcome=12&mastered=false",
    "/api/overview",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A number of results taken in, with look-ups meanwhile or without."""

    asking: bool
    per_second: float
    """Results, from the raw topic to the commit of their rows."""
    worker_cpu: float
    """Processor seconds of the worker's own process for 100,000 results."""
    web_cpu: float
    """Processor seconds of its web server, which is another process, a second."""
    seconds: float


def _results(first: int, count: int, rows: int) -> Iterator[bytes]:
    """A new result for rows that there are, in no order."""
    for number in range(first, first + count):
        student, outcome = divmod(number * _PRIME % rows, _EACH)
        event = json.loads(result_event(number))
        event["body"] |= {
            "user_uuid": student_uuid(student),
            "learning_outcome_id": str((outcome + student * _EACH) % OUTCOMES + 1),
        }
        yield json.dumps(event).encode()


def _fill(stage: Stage, rows: int) -> None:
    _OURS.prepare(stage)
    cluster = stage.cluster
    deliver(cluster.bootstrap, stage.changelog_topic, made_rows(rows, stage.partitions, _EACH))
    deliver(cluster.bootstrap, f"{stage.prefix}{OUTCOME_EVENT}", definitions())
    topics = (stage.raw_topic, *stage.result_topics)
    cluster.commit_beginning(_OURS.group(stage), topics, stage.partitions)


def _get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def _wait_until_whole(worker: ChildProcess, port: int, rows: int) -> None:
    """Until the worker has its rows, and the view all of them. Raises RuntimeError."""
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        time.sleep(1.0)
        if not worker.running or time.monotonic() > deadline:
            raise RuntimeError(f"the view is not whole\n{worker.tail()}")
        try:
            overview = _get(port, "/api/overview")
        except (OSError, urllib.error.URLError):
            continue
        partitions = [one for each in overview["freshness"]["workers"] for one in each["partitions"]]
        if overview["rows"] == rows and all(
            one["applied"] is not None and one["applied"] == one["end"] and not one["restoring"]
            for one in partitions
        ):
            return


def _turns(stage: Stage, worker: ChildProcess, load: Load, arguments: argparse.Namespace) -> list[Turn]:
    """Results without and with look-ups, in turns."""
    events: int = arguments.events
    found: list[Turn] = []
    for pair in range(arguments.pairs):
        both: list[Turn] = []
        for asking in ((False, True), (True, False))[pair % 2]:
            fed = (2 * pair + len(both)) * events
            results = list(_results(fed, events, arguments.rows))
            load.switch(on=asking)
            time.sleep(_SETTLE)
            both.append(_turn(stage, worker, results, arguments.steady, asking=asking))
            load.switch(on=False)
        found += both
        off, on = sorted(both, key=lambda one: one.asking)
        print(
            f"pair {pair + 1}: {off.per_second:8,.0f} results/s without, {on.per_second:8,.0f} with"
            f" ({on.per_second / off.per_second - 1:+.1%}); CPU of the worker for 100,000:"
            f" {off.worker_cpu:.2f} s and {on.worker_cpu:.2f} s ({on.worker_cpu / off.worker_cpu - 1:+.1%});"
            f" of its web server a second: {off.web_cpu:.2f} s and {on.web_cpu:.2f} s",
            flush=True,
        )
    return found


def _paced(results: list[bytes], rate: float) -> Iterator[bytes]:
    """So many a second; all at once for 0."""
    began = time.monotonic()
    for number, result in enumerate(results):
        if rate and (early := began + number / rate - time.monotonic()) > 0:
            time.sleep(early)
        yield result


def _turn(stage: Stage, worker: ChildProcess, results: list[bytes], rate: float, *, asking: bool) -> Turn:
    whole = ProcessTree(worker.pid)
    began, cpu, own = time.monotonic(), whole.cpu_seconds(), _own_cpu(worker.pid)
    feed(stage.cluster.bootstrap, stage.raw_topic, stage.partitions, _paced(results, rate))
    while _left(stage):
        if not worker.running or time.monotonic() > began + _STALLED_AFTER:
            raise RuntimeError(f"the worker does not come to the end\n{worker.tail()}")
        time.sleep(0.1)
    took = time.monotonic() - began
    worker_cpu = _own_cpu(worker.pid) - own
    web_cpu = whole.cpu_seconds() - cpu - worker_cpu
    return Turn(
        asking, len(results) / took, worker_cpu * 100_000 / len(results), web_cpu / took, took + _SETTLE
    )


def _left(stage: Stage) -> int:
    """Offsets that the worker has still to commit."""
    cluster, partitions = stage.cluster, stage.partitions
    return sum(
        sum(cluster.ends(topic, partitions))
        - sum(one or 0 for one in cluster.committed(_OURS.group(stage), topic, partitions))
        for topic in (stage.raw_topic, *stage.result_topics)
    )


def _own_cpu(pid: int) -> float:
    """Processor seconds of one process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _tell(turns: list[Turn], answers: list[Answered], rate: float) -> None:
    pairs = [
        sorted(turns[first : first + 2], key=lambda one: one.asking) for first in range(0, len(turns), 2)
    ]
    for name, ratios in (
        ("throughput", [on.per_second / off.per_second for off, on in pairs]),
        ("CPU of the worker", [on.worker_cpu / off.worker_cpu for off, on in pairs]),
    ):
        print(
            f"{name}, with look-ups to without, {len(pairs)} pairs: median {statistics.median(ratios):.3f},"
            f" {min(ratios):.3f} to {max(ratios):.3f}"
        )
    for name, student in (("look-ups of a student", True), ("pages of lists", False)):
        good = sorted(one.seconds * 1000 for one in answers if one.student is student and one.status == 200)
        bad = [one.status for one in answers if one.student is student and one.status != 200]
        if not good:
            print(f"{name}: none answered, {len(bad)} failed")
            continue
        size = statistics.mean(one.bytes for one in answers if one.student is student)
        print(
            f"{name}: {len(good):,} answered, {len(bad)} not {sorted(set(bad)) or ''};"
            f" p50 {statistics.median(good):.1f} ms, p90 {good[int(len(good) * 0.9)]:.1f} ms,"
            f" p99 {good[int(len(good) * 0.99)]:.1f} ms, longest {good[-1]:.0f} ms;"
            f" {size / 1000:.1f} kB each"
        )
    asked = sum(one.seconds for one in turns if one.asking)
    print(f"{len(answers) / asked:.0f} look-ups a second of {rate:.0f} wanted")


def _measure(stage: Stage, arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    _fill(stage, arguments.rows)
    print(f"{arguments.rows:,} rows in the changelog after {time.monotonic() - began:.0f} s", flush=True)
    port = stable_port()
    variables = {"MASTERY_WEB_PORT": str(port), "MASTERY_WEB_RATE_LIMIT": "0"}
    worker = start_worker(stage, **variables)
    try:
        _wait_until_whole(worker, port, arguments.rows)
        print(f"worker and view have them after {time.monotonic() - began:.0f} s", flush=True)
        students = [student_uuid(number) for number in range(arguments.rows // _EACH)]
        lists = [f"{one}{'&' if '?' in one else '?'}account={ACCOUNT}" for one in _LISTS[:-1]] + [_LISTS[-1]]
        with Load(port, arguments.rate, students, lists) as load:
            turns = _turns(stage, worker, load, arguments)
            answers = load.answers()
        _tell(turns, answers, arguments.rate)
        memory = ProcessTree(worker.pid).memory_mb("VmRSS")
        print(f"worker and web server: {memory:,.0f} MB resident")
    finally:
        worker.stop(60)


def main(argv: list[str] | None = None) -> int:
    """Print a line for each pair of windows, and what they come to."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.web", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    number: dict[str, Any] = {"type": int, "help": "(default: %(default)s)"}
    parser.add_argument("--rows", default=1_000_000, **number)
    parser.add_argument("--events", default=100_000, metavar="in a turn", **number)
    parser.add_argument("--partitions", default=12, **number)
    parser.add_argument("--pairs", default=6, **number)
    parser.add_argument("--rate", default=200.0, type=float, help="look-ups a second (default: %(default)s)")
    parser.add_argument(
        "--steady", default=0.0, type=float, metavar="RATE", help="results a second; by default all at once"
    )
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a running Kafka; by default one is started")
    arguments = parser.parse_args(argv)
    with (
        open_cluster(arguments.bootstrap) as (cluster, _, kafka),
        tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder,
    ):
        now = machine()
        print(
            f"commit {commit()}; {kafka}; {now['cores']} cores ({now['cpu']}), Python {now['python']},"
            f" load {now['load_before']:.1f} before"
        )
        prefix = f"bench{uuid.uuid4().hex[:8]}."
        stage = Stage(cluster, prefix, arguments.partitions, {}, 0, Path(folder))
        try:
            _measure(stage, arguments)
        finally:
            cluster.delete(prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())

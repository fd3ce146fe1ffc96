"""Whether look-ups in the web view slow the stream, and how long they take meanwhile.

A real Kafka, one worker, a million rows in its state: they are written to the changelog, from which the
worker restores them. Then results of these students wait in the raw topic, and while the worker takes them
in, 200 look-ups a second are on for some seconds and off for some seconds, in turns: off, on, on, off. What
comes out of the fan-out in a window is counted by the offsets of its topic. Of the look-ups 95 % are of a
student (by uuid, any of them), the others are pages of lists. The web server is a process of its own, whose
processor time is told apart.

    python -m bench.web                                   some ten minutes
    python -m bench.web --rows 50000 --events 100000 --pairs 2
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
_LISTS = (
    "/api/mastery",
    "/api/mastery?sort=-score",
    "/api/mastery?course=7",
    "/api/mastery?outcome=12&mastered=false",
    "/api/overview",
)


@dataclass(frozen=True, slots=True)
class Window:
    """Some seconds with look-ups or without."""

    asking: bool
    per_second: float
    """Records that came out of the fan-out."""
    worker_cpu: float
    """Of the worker's own process: processor seconds a second."""
    web_cpu: float
    """Of its web server, which is another process."""


def _results(count: int, rows: int) -> Iterator[bytes]:
    """A new result for rows that there are, in no order."""
    for number in range(count):
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


def _windows(stage: Stage, worker: ChildProcess, load: Load, pairs: int, seconds: float) -> list[Window]:
    """Windows without and with look-ups, in turns, for as long as there is a backlog."""
    cluster, partitions = stage.cluster, stage.partitions
    whole = ProcessTree(worker.pid)

    def out() -> int:
        # Not what is committed: that goes in leaps.
        return sum(cluster.ends(stage.typed_topic, partitions, committed=False))

    def left() -> int:
        ends = cluster.ends(stage.raw_topic, partitions)
        done = cluster.committed(_OURS.group(stage), stage.raw_topic, partitions)
        return sum(ends) - sum(one or 0 for one in done)

    found: list[Window] = []
    for pair in range(pairs):
        both = []
        for asking in ((False, True), (True, False))[pair % 2]:
            load.switch(on=asking)
            time.sleep(_SETTLE)
            began, first = time.monotonic(), out()
            cpu, own = whole.cpu_seconds(), _own_cpu(worker.pid)
            time.sleep(seconds)
            last, took = out(), time.monotonic() - began
            worker_cpu = _own_cpu(worker.pid) - own
            web_cpu = whole.cpu_seconds() - cpu - worker_cpu
            both.append(Window(asking, (last - first) / took, worker_cpu / took, web_cpu / took))
        load.switch(on=False)
        if left() < both[-1].per_second * 3:
            print("the backlog is at its end")
            break
        found += both
        off, on = sorted(both, key=lambda one: one.asking)
        print(
            f"pair {pair + 1}: {off.per_second:8,.0f} records/s without, {on.per_second:8,.0f} with"
            f" ({on.per_second / off.per_second - 1:+.1%});"
            f" CPU of the worker {off.worker_cpu:.2f} and {on.worker_cpu:.2f},"
            f" of its web server {off.web_cpu:.2f} and {on.web_cpu:.2f}",
            flush=True,
        )
    return found


def _own_cpu(pid: int) -> float:
    """Processor seconds of one process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _tell(windows: list[Window], answers: list[Answered], rate: float, seconds: float) -> None:
    pairs = [
        sorted(windows[number : number + 2], key=lambda one: one.asking)
        for number in range(0, len(windows), 2)
    ]
    ratios = [on.per_second / off.per_second for off, on in pairs]
    rates = [statistics.median(pair[asking].per_second for pair in pairs) for asking in (False, True)]
    print(
        f"fan-out: {rates[0]:,.0f} records/s without look-ups, {rates[1]:,.0f} with (medians);"
        f" ratio of {len(pairs)} pairs: median {statistics.median(ratios):.3f},"
        f" mean {statistics.mean(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}"
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
    asked = (seconds + _SETTLE) * len(pairs)
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
            feed(
                stage.cluster.bootstrap,
                stage.raw_topic,
                stage.partitions,
                _results(arguments.events, arguments.rows),
            )
            print(f"{arguments.events:,} results fed after {time.monotonic() - began:.0f} s", flush=True)
            windows = _windows(stage, worker, load, arguments.pairs, arguments.seconds)
            answers = load.answers()
        if windows:
            _tell(windows, answers, arguments.rate, arguments.seconds)
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
    parser.add_argument("--events", default=1_500_000, **number)
    parser.add_argument("--partitions", default=12, **number)
    parser.add_argument("--pairs", default=8, **number)
    parser.add_argument("--seconds", default=8.0, type=float, help="of a window (default: %(default)s)")
    parser.add_argument("--rate", default=200.0, type=float, help="look-ups a second (default: %(default)s)")
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

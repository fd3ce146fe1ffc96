"""Memory of a worker at work while its rows grow to a million, on a real Kafka.

All results lie in the raw topic beforehand, so the worker has as much on its way at once as it ever has.
Each is of another student and outcome until there are `rows` of them, in no order; what is left gives rows
a second result. Resident memory is told as the kernel has it: now, at its peak, and which part is the
process's own (the rest are pages of files, of libraries above all, that the kernel may take back). That of
the worker's children counts as well.

    python -m bench.mastery_memory                        1,200,000 results, 1,000,000 rows: some ten minutes
    python -m bench.mastery_memory --steady 1000          then started again: 1,000 more a second for a minute
    python -m bench.mastery_memory --events 120000 --rows 100000
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.contenders import MASTERY_CONTENDERS, OURS
from bench.mastery_workload import OUTCOME_EVENT, definitions
from bench.measure import ProcessTree
from bench.rounds import open_cluster
from bench.stage import Crew, Stage
from bench.workload import OUTCOMES, deliver, result_event

__all__ = ["main"]

_OURS = MASTERY_CONTENDERS[OURS]
_FIELDS = ("VmRSS", "VmHWM", "RssAnon", "RssFile")
_PRIME = 7_368_787
_STALLED_AFTER = 120.0
_STOP_SECONDS = 60.0
_STEADY_SECONDS = 60


def _results(first: int, count: int, rows: int) -> Iterator[bytes]:
    """Results from number `first` on, of so many pairs of student and outcome, the pairs in no order."""
    for number in range(first, first + count):
        event = json.loads(result_event(number))
        student, outcome = divmod(number * _PRIME % rows, OUTCOMES)
        user = uuid.UUID(int=(student + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex
        event["body"] |= {"user_uuid": f"{user}{student:08}", "learning_outcome_id": str(outcome + 1)}
        yield json.dumps(event).encode()


def _rows(stage: Stage) -> int:
    """Rows in the worker's files; none is ever deleted here."""
    count = 0
    for path in (stage.folder / "state" / "mastery").glob("[0-9]*.db"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            count += db.execute("SELECT max(id) FROM rows").fetchone()[0] or 0
    return count


def _told(what: str, worker: Crew, stage: Stage) -> None:
    tree = worker.tree
    memory = "  ".join(f"{name} {tree.memory_mb(name):4.0f}" for name in _FIELDS)
    print(f"{time.strftime('%H:%M:%S')}  {what:28} {_rows(stage):9,} rows   {memory}", flush=True)


def _follow(worker: Crew, stage: Stage, group: str, every: int) -> None:
    """Tell the memory every so many rows, until all is done. Raises RuntimeError."""
    cluster, partitions = stage.cluster, stage.partitions
    topics = (stage.raw_topic, *stage.result_topics)
    done, since, told = -1, time.monotonic(), -1
    while True:
        time.sleep(1.0)
        if not worker.running:
            raise RuntimeError(f"the worker ended\n{worker.tail()}")
        left = sum(
            end - (at or 0)
            for topic in topics
            for end, at in zip(
                cluster.ends(topic, partitions), cluster.committed(group, topic, partitions), strict=True
            )
        )
        rows = _rows(stage)
        if rows // every != told:
            told = rows // every
            _told("", worker, stage)
        if left == 0:
            return
        if left != done:
            done, since = left, time.monotonic()
        elif time.monotonic() > since + _STALLED_AFTER:
            raise RuntimeError(f"stalled, {left} offsets left\n{worker.tail()}")


def _measure(stage: Stage, events: int, rows: int, steady: int) -> None:
    cluster, group = stage.cluster, _OURS.group(stage)
    _OURS.prepare(stage)
    _feed(stage, _results(0, events, rows))
    deliver(cluster.bootstrap, f"{stage.prefix}{OUTCOME_EVENT}", definitions())
    # With a typed topic that holds something, a worker of no offsets refuses to begin.
    cluster.commit_beginning(group, (stage.raw_topic, *stage.result_topics), stage.partitions)
    print(f"{events:,} results fed, {stage.partitions} partitions; MB (10^6 bytes)", flush=True)
    with _running(stage) as worker:
        _follow(worker, stage, group, max(1, rows // 20))
        _told("all done", worker, stage)
        _told_parts(worker.tree)
    if steady:
        with _running(stage) as worker:
            _follow(worker, stage, group, rows)
            _told("started again", worker, stage)
            for second in range(_STEADY_SECONDS):
                began = time.monotonic()
                _feed(stage, _results(events + second * steady, steady, rows))
                time.sleep(max(0.0, began + 1.0 - time.monotonic()))
            _told(f"after {steady:,} a second", worker, stage)
            _told_parts(worker.tree)


def _feed(stage: Stage, results: Iterator[bytes]) -> None:
    dealt = ((number % stage.partitions, None, raw) for number, raw in enumerate(results))
    deliver(stage.cluster.bootstrap, stage.raw_topic, dealt)


@contextmanager
def _running(stage: Stage) -> Iterator[Crew]:
    worker = _OURS.start(stage)
    try:
        yield worker
    finally:
        worker.stop(_STOP_SECONDS)


def _told_parts(tree: ProcessTree) -> None:
    """The largest parts of the memory, by what the kernel calls them."""
    parts: dict[str, int] = {}
    name = ""
    for line in Path(f"/proc/{tree.first}/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            name = Path(rest[4]).name if len(rest) > 4 else "(no name)"
        elif first == "Rss:":
            parts[name] = parts.get(name, 0) + int(rest[0]) * 1024
    largest = sorted(parts.items(), key=lambda part: -part[1])[:12]
    print("   ", ", ".join(f"{name} {size / 1e6:.0f}" for name, size in largest), flush=True)


def main(argv: list[str] | None = None) -> int:
    """Print a line for each twentieth of the rows, and one at the end."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.mastery_memory", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    number = {"type": int, "help": "(default: %(default)s)"}
    parser.add_argument("--events", default=1_200_000, **number)  # type: ignore[arg-type]
    parser.add_argument("--rows", default=1_000_000, **number)  # type: ignore[arg-type]
    parser.add_argument("--partitions", default=12, **number)  # type: ignore[arg-type]
    parser.add_argument("--steady", default=0, metavar="results a second, in the end", **number)  # type: ignore[arg-type]
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a running Kafka; by default one is started")
    arguments = parser.parse_args(argv)
    with (
        open_cluster(arguments.bootstrap) as (cluster, _, kafka),
        tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder,
    ):
        print(f"Kafka: {kafka}")
        prefix = f"bench{uuid.uuid4().hex[:8]}."
        stage = Stage(cluster, prefix, arguments.partitions, {}, 0, Path(folder))
        try:
            _measure(stage, arguments.events, arguments.rows, arguments.steady)
        finally:
            cluster.delete(prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())

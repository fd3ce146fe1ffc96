"""A restore: a changelog filled with made rows, read back into an empty folder, in a process of its own.

Each row has three results and is some 900 bytes. The child prints what `StateTable.take_over` took.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aiokafka.partitioner import murmur2

from app.mastery import blob
from app.mastery.definition import read_outcome
from app.mastery.resolve import resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.rules import AccountRules
from app.mastery.snapshot import ResultSnapshot, RowKey, Unplaced, read_result
from app.schemas.contract import load_contract
from app.schemas.decoder import compile_decoder
from app.state.store import PartitionStore
from app.state.table import Changelog, StateTable
from bench.broker import Cluster
from bench.mastery_workload import OUTCOME_EVENT, raw_outcome, typed_records
from bench.measure import ProcessTree
from bench.workload import ACCOUNT, OUTCOMES, RESULT_EVENT, deliver, result_event

__all__ = ["made_rows", "measure_restore", "student_uuid"]

_ROOT = Path(__file__).resolve().parent.parent
_RESULTS = 3


def _records(event_name: str, raws: Iterable[bytes]) -> list[Any]:
    """What consumers decode of events."""
    read = compile_decoder(load_contract().events[event_name].schema)
    return [read(framed[5:]) for _, framed in typed_records(event_name, raws)]


def student_uuid(student: int) -> str:
    """Id of a student by number; they are in no order."""
    return uuid.UUID(int=student * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex + "00000000"


def made_rows(rows: int, partitions: int, each: int = OUTCOMES) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and state of so many rows, `each` of them of one student."""
    snapshots: list[ResultSnapshot] = []
    for record in _records(RESULT_EVENT, [result_event(number) for number in range(_RESULTS * 500)]):
        placed = read_result(record)
        if not isinstance(placed, Unplaced):
            snapshots.append(placed[1])
    rules = AccountRules()
    outcomes = [
        resolve(read_outcome(record), rules)
        for record in _records(OUTCOME_EVENT, [raw_outcome(number + 1) for number in range(OUTCOMES)])
    ]
    for number in range(rows):
        student, outcome = divmod(number, each)
        outcome = (outcome + student * each) % OUTCOMES
        user = student_uuid(student)
        key = RowKey(ACCOUNT, user, str(outcome + 1))
        results = Results()
        for offset in range(_RESULTS):
            results.apply(snapshots[(number * _RESULTS + offset) % len(snapshots)])
        state = blob.encode(results, roll_up(key, results, outcomes[outcome]))
        yield murmur2(f"{ACCOUNT}:{user}".encode()) % 2**31 % partitions, str(key).encode(), state


def measure_restore(cluster: Cluster, rows: int, partitions: int) -> str:
    """Fill a changelog, restore from it, and tell in a sentence what it took."""
    topic = f"bench{uuid.uuid4().hex[:8]}.changelog"
    cluster.create([topic], partitions)
    try:
        deliver(cluster.bootstrap, topic, made_rows(rows, partitions))
        with tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder:
            task = {
                "bootstrap": cluster.bootstrap,
                "topic": topic,
                "partitions": partitions,
                "folder": folder,
            }
            command = [sys.executable, "-m", "bench.mastery_restore", json.dumps(task)]
            done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
            took = json.loads(done.stdout)
    finally:
        cluster.delete(topic)
    return (
        f"{rows:,} rows of {took['bytes'] / rows:,.0f} bytes on disk in {partitions} partitions:"
        f" {rows / took['reading']:,.0f} rows/s before indexes ({took['reading']:.1f} s),"
        f" {rows / took['all']:,.0f} rows/s with them ({took['all']:.1f} s),"
        f" {took['cpu'] / rows * 1e6:.1f} us of CPU a row,"
        f" {took['indexing_cpu'] / rows * 1e6:.1f} of them for indexes; peak RSS {took['rss']:.0f} MB"
        f" ({took['rss_before']:.0f} MB before)"
    )


def _child(task: dict[str, Any]) -> dict[str, float]:
    """Restore, as a worker does it."""
    indexing = indexing_cpu = 0.0
    finish = PartitionStore.finish_restore

    def timed(store: PartitionStore) -> None:
        nonlocal indexing, indexing_cpu
        began, cpu = time.monotonic(), time.process_time()
        finish(store)
        indexing += time.monotonic() - began
        indexing_cpu += time.process_time() - cpu

    PartitionStore.finish_restore = timed  # type: ignore[assignment,method-assign]
    folder = Path(task["folder"])
    changelog = Changelog(
        task["topic"],
        "",
        task["partitions"],
        blob.FORMAT,
        lambda value: value[:1] == bytes([blob.FORMAT]),
        86_400,
    )
    table = StateTable(folder, changelog, {"bootstrap.servers": task["bootstrap"]})
    process = ProcessTree(os.getpid())
    before, cpu = process.peak_rss_mb(), time.process_time()
    began = time.monotonic()
    table.take_over(range(task["partitions"]))
    took = time.monotonic() - began
    figures = {
        "all": took,
        "reading": took - indexing,
        "cpu": time.process_time() - cpu,
        "indexing_cpu": indexing_cpu,
        "rss": process.peak_rss_mb(),
        "rss_before": before,
        "bytes": float(sum(path.stat().st_size for path in folder.glob("*.db"))),
    }
    table.close()
    return figures


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]))))

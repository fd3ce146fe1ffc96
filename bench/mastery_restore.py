"""A restore: a changelog filled with made rows, read back into an empty folder, in a process of its own.

Each row has three results and is some 900 bytes. The child prints what `StateTable.take_over` took.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
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
from bench.measure import ProcessTree, RunFailed
from bench.workload import ACCOUNT, OUTCOMES, RESULT_EVENT, deliver, result_event

__all__ = ["made_rows", "measure_restore", "rows_in_files", "rows_of_outcome", "student_uuid"]

_ROOT = Path(__file__).resolve().parent.parent
_RESULTS = 3
_KINDS = 500


def _records(event_name: str, raws: Iterable[bytes]) -> list[Any]:
    """What consumers decode of events."""
    read = compile_decoder(load_contract().events[event_name].schema)
    return [read(framed[5:]) for _, framed in typed_records(event_name, raws)]


def student_uuid(student: int) -> str:
    """Id of a student by number; they are in no order."""
    return uuid.UUID(int=student * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex + "00000000"


class _States:
    """States of rows with three results each, made once for all rows that are alike."""

    def __init__(self) -> None:
        self._snapshots: list[ResultSnapshot] = []
        for record in _records(RESULT_EVENT, [result_event(number) for number in range(_RESULTS * _KINDS)]):
            placed = read_result(record)
            if not isinstance(placed, Unplaced):
                self._snapshots.append(placed[1])
        rules = AccountRules()
        self._outcomes = [
            resolve(read_outcome(record), rules)
            for record in _records(OUTCOME_EVENT, [raw_outcome(number + 1) for number in range(OUTCOMES)])
        ]
        self._made: dict[tuple[int, int], bytes] = {}

    def of(self, number: int, outcome: int) -> bytes:
        """The state of row `number`, of an outcome from 0 on."""
        kind = number % _KINDS
        if (state := self._made.get((kind, outcome))) is None:
            results = Results()
            for offset in range(_RESULTS):
                results.apply(self._snapshots[(kind * _RESULTS + offset) % len(self._snapshots)])
            key = RowKey(ACCOUNT, "", str(outcome + 1))
            row = roll_up(key, results, self._outcomes[outcome])
            state = self._made[kind, outcome] = blob.encode(results, row)
        return state


def _row(partitions: int, user: str, outcome: int, state: bytes) -> tuple[int, bytes, bytes]:
    key = RowKey(ACCOUNT, user, str(outcome + 1))
    return murmur2(f"{ACCOUNT}:{user}".encode()) % 2**31 % partitions, str(key).encode(), state


def made_rows(rows: int, partitions: int, each: int = OUTCOMES) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and state of so many rows, `each` of them of one student."""
    states = _States()
    for number in range(rows):
        student, outcome = divmod(number, each)
        outcome = (outcome + student * each) % OUTCOMES
        yield _row(partitions, student_uuid(student), outcome, states.of(number, outcome))


def rows_of_outcome(rows: int, partitions: int, outcome: int) -> Iterator[tuple[int, bytes, bytes]]:
    """As `made_rows`, each of another student, all of one outcome (from 1 on)."""
    states = _States()
    for number in range(rows):
        yield _row(partitions, student_uuid(number), outcome - 1, states.of(number, outcome - 1))


def measure_restore(cluster: Cluster, rows: int, partitions: int) -> dict[str, Any]:
    """Fill a changelog, restore from it, tell what it took. Raises RunFailed unless all rows came back."""
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
            done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RunFailed(f"the restore failed:\n{done.stderr[-2000:]}")
            took = json.loads(done.stdout)
            found = rows_in_files(Path(folder))
    finally:
        cluster.delete(topic)
    if found != rows:
        raise RunFailed(f"{found:,} rows of {rows:,} came back")
    return {
        "rows": rows,
        "partitions": partitions,
        "bytes_per_row": round(took["bytes"] / rows),
        "seconds": round(took["all"], 2),
        "seconds_before_indexes": round(took["reading"], 2),
        "rows_per_second": round(rows / took["all"]),
        "rows_per_second_before_indexes": round(rows / took["reading"]),
        "cpu_us_per_row": round(took["cpu"] / rows * 1e6, 2),
        "index_cpu_us_per_row": round(took["indexing_cpu"] / rows * 1e6, 2),
        "peak_rss_mb": round(took["rss"]),
        "rss_before_mb": round(took["rss_before"]),
        "rss_after_mb": round(took["rss_after"]),
        "void": None,
    }


def rows_in_files(folder: Path) -> int:
    """How many rows a state folder's files hold."""
    count = 0
    for path in folder.glob("[0-9]*.db"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            count += db.execute("SELECT count(*) FROM rows").fetchone()[0]
    return count


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
        "rss_after": process.memory_mb("VmRSS"),
    }
    table.close()
    # After the close, which empties SQLite's logs.
    return figures | {"bytes": float(sum(path.stat().st_size for path in folder.glob("*.db*")))}


if __name__ == "__main__":
    print(json.dumps(_child(json.loads(sys.argv[1]))))

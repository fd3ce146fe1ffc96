"""Results to rows of mastery by this project and by its peers, on a real Kafka, in rounds: A B C A B C.

The job of this project: raw events -> typed records -> each student's mastery, computed as Canvas does, with
changelog, published on `outcome_mastery`. The peers' is simpler: raw events -> typed records, and the last 10
results of each user and outcome kept, with changelog. After each run all typed records are compared to the
byte, and all rows with what the events say: a run that lost or invented one is void.

    python -m bench.mastery                                       a few minutes
    python -m bench.mastery --peers mastery,quix --rounds 5
    python -m bench.mastery --restore 200000                      rows/s and memory of a restore: no peers
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.schemas.contract import load_contract
from bench.broker import Cluster
from bench.check import check_outputs
from bench.contenders import MASTERY_CONTENDERS, OURS, Contender, Stage
from bench.mastery_check import check_state
from bench.mastery_restore import measure_restore
from bench.mastery_workload import OUTCOME_EVENT, definitions, last_results, placed
from bench.measure import Figures, ProcessTree, RunFailed, watch
from bench.peers.job import FanOut
from bench.report import tables
from bench.rounds import attempt, commit, machine, open_cluster
from bench.workload import RESULT_EVENT, deliver, result_event

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 40.0


class Bench:
    """Runs contenders against one cluster."""

    def __init__(self, cluster: Cluster, broker: ProcessTree | None, arguments: argparse.Namespace) -> None:
        self._cluster = cluster
        self._broker = broker
        self._partitions: int = arguments.partitions
        self._processes: int = arguments.processes
        events = self._events = arguments.events
        users = self._users = arguments.users
        event = load_contract().events[RESULT_EVENT]
        self._schema, self._schema_id = event.schema, event.local_id
        fan_out = FanOut(event.schema, event.local_id)
        self._typed = Counter(hash(fan_out(result_event(n, users))) for n in range(events))

    def run(self, contender: Contender) -> Figures:
        """One run. Raises RunFailed when it is void."""
        with self._stage() as stage:
            figures = self._measure(contender, stage)
            check_outputs(self._cluster, stage.typed_topic, self._partitions, self._typed)
            check_state(contender.name, stage, self._events, self._users)
        return figures

    @contextmanager
    def _stage(self) -> Iterator[Stage]:
        prefix = f"bench{uuid.uuid4().hex[:8]}."
        with tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder:
            try:
                yield Stage(
                    self._cluster,
                    prefix,
                    self._partitions,
                    self._schema,
                    self._schema_id,
                    Path(folder),
                    self._processes,
                )
            finally:
                self._cluster.delete(prefix)

    def _measure(self, contender: Contender, stage: Stage) -> Figures:
        contender.prepare(stage)
        cluster, partitions, group = self._cluster, self._partitions, contender.group(stage)
        deliver(cluster.bootstrap, stage.raw_topic, placed(self._events, self._users, partitions))
        if contender.name == OURS:
            deliver(cluster.bootstrap, f"{stage.prefix}{OUTCOME_EVENT}", definitions())
            # With a typed topic that holds something, a worker of no offsets refuses to begin.
            cluster.commit_beginning(group, (stage.raw_topic, *stage.result_topics), partitions)
        raw_ends = cluster.ends(stage.raw_topic, partitions)

        def offsets(topic: str) -> list[int]:
            return [offset or 0 for offset in cluster.committed(group, topic, partitions)]

        def mastered() -> int:
            """Offsets of typed results whose rows are committed: the end of the way."""
            return sum(offsets(stage.typed_topic))

        def typed() -> int:
            return sum(cluster.ends(stage.typed_topic, partitions))

        def all_done() -> bool:
            if offsets(stage.raw_topic) != raw_ends:
                return False
            return contender.name != OURS or mastered() == typed()

        worker = contender.start(stage)
        try:
            figures = watch(
                ProcessTree(worker.pid),
                self._broker,
                self._events,
                visible=mastered if contender.name == OURS else typed,
                committed=all_done,
                alive=lambda: worker.running,
            )
        except RunFailed as failure:
            raise RunFailed(f"{failure}\n{worker.tail()}") from failure
        finally:
            status = worker.stop(_STOP_SECONDS)
        if contender.name == OURS and status:
            raise RunFailed(f"ended with status {status} after SIGTERM\n{worker.tail()}")
        return figures


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.mastery", description=__doc__.split("\n")[0])
    number = {"type": int, "help": "%(metavar)s (default: %(default)s)"}
    parser.add_argument("--events", default=100_000, metavar="events of each run", **number)  # type: ignore[arg-type]
    parser.add_argument("--rounds", default=2, metavar="rounds", **number)  # type: ignore[arg-type]
    parser.add_argument("--users", default=1_200, metavar="students, at most 5,000", **number)  # type: ignore[arg-type]
    parser.add_argument("--partitions", default=4, metavar="partitions of the topics", **number)  # type: ignore[arg-type]
    parser.add_argument("--processes", default=1, metavar="worker processes of this project", **number)  # type: ignore[arg-type]
    parser.add_argument(
        "--peers",
        default=",".join(MASTERY_CONTENDERS),
        help="who takes part, with commas between (default: %(default)s)",
    )
    parser.add_argument(
        "--restore", type=int, metavar="ROWS", help="measure the restore of so many rows, and nothing else"
    )
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a running Kafka; by default one is started")
    parser.add_argument(
        "--output",
        type=Path,
        default=_ROOT / "bench" / "results" / "mastery.local.json",
        help="where the figures go (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    arguments.peers = arguments.peers.split(",")
    if unknown := [name for name in arguments.peers if name not in MASTERY_CONTENDERS]:
        parser.error(f"unknown peers: {', '.join(unknown)}; there are: {', '.join(MASTERY_CONTENDERS)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the rounds, print the tables, write the figures. Gives 1 when a run was void."""
    arguments = _arguments(argv)
    result: dict[str, Any] = {
        "command": " ".join(["python -m bench.mastery", *(sys.argv[1:] if argv is None else argv)]),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "workload": "mastery",
        **{
            name: getattr(arguments, name)
            for name in ("events", "users", "partitions", "rounds", "processes")
        },
    }
    with open_cluster(arguments.bootstrap) as (cluster, broker, kafka):
        result["kafka"] = kafka
        if arguments.restore:
            print(measure_restore(cluster, arguments.restore, arguments.partitions))
            return 0
        contenders = [MASTERY_CONTENDERS[name] for name in arguments.peers]
        for contender in contenders:
            contender.install()
        bench = Bench(cluster, broker, arguments)
        runs = [
            attempt("mastery", number, contender.name, lambda c=contender: bench.run(c))  # type: ignore[misc]
            for number in range(1, arguments.rounds + 1)
            for contender in contenders
        ]
    result["contenders"] = [
        {"name": c.name, "title": c.title, "promise": c.promise, "versions": c.versions()} for c in contenders
    ]
    result["rows"] = len(last_results(arguments.events, arguments.users))
    result["runs"] = [asdict(run) for run in runs]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\n{tables(result)}\nfigures: {arguments.output}")
    return 1 if any(run.void for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())

"""The fan-out job by this project and by its peers, on a real Kafka, in rounds: A B C D A B C D.

The job: `learning_outcome_result_created` events as JSON in a raw topic -> validated, Avro in Confluent
framing, keyed -> the typed topic; offsets committed after delivery. Every run has fresh topics and the same
events. Afterwards all output is read back (read_committed) and compared to the byte, and the broker is asked
for the committed offsets: a run that lost or invented a record is void. How it measures: bench/measure.py.

    python -m bench.fanout                                        a few minutes
    python -m bench.fanout --events 500000 --rounds 5             the figures of docs/performance.md
    python -m bench.fanout --peers mastery --broken 100000        broken records against good ones only
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from app.schemas.contract import load_contract
from bench.broker import Cluster
from bench.check import check_dead_letters, check_outputs, expected_outputs
from bench.contenders import CONTENDERS, OURS, Contender, Stage
from bench.measure import Figures, ProcessTree, RunFailed, watch
from bench.peers.job import FanOut
from bench.report import tables
from bench.rounds import attempt, commit, machine, open_cluster
from bench.workload import RESULT_EVENT, broken_record, feed, result_event

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 40.0


class Bench:
    """Runs contenders against one cluster."""

    def __init__(self, cluster: Cluster, broker: ProcessTree | None, partitions: int) -> None:
        self._cluster = cluster
        self._broker = broker
        self._partitions = partitions
        event = load_contract().events[RESULT_EVENT]
        self._schema = event.schema
        self._schema_id = event.local_id
        self._fan_out = FanOut(event.schema, event.local_id)
        self._expected: dict[int, Counter[int]] = {}

    @contextmanager
    def _stage(self) -> Iterator[Stage]:
        prefix = f"bench{uuid.uuid4().hex[:8]}."
        with tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder:
            try:
                yield Stage(
                    self._cluster, prefix, self._partitions, self._schema, self._schema_id, Path(folder)
                )
            finally:
                self._cluster.delete(prefix)

    def _measure(
        self,
        contender: Contender,
        stage: Stage,
        record: Callable[[int], bytes | None],
        events: int,
        output: str,
    ) -> Figures:
        contender.prepare(stage)
        cluster, partitions = self._cluster, self._partitions
        feed(cluster.bootstrap, stage.raw_topic, partitions, map(record, range(events)))
        ends, outputs = cluster.ends(stage.raw_topic, partitions), cluster.partitions(output)
        group = contender.group(stage)
        worker = contender.start(stage)
        try:
            figures = watch(
                ProcessTree(worker.pid),
                self._broker,
                events,
                visible=lambda: sum(cluster.ends(output, outputs)),
                committed=lambda: cluster.committed(group, stage.raw_topic, partitions) == ends,
                alive=lambda: worker.running,
            )
        except RunFailed as failure:
            raise RunFailed(f"{failure}\n{worker.tail()}") from failure
        finally:
            status = worker.stop(_STOP_SECONDS)
        if cluster.committed(group, stage.raw_topic, partitions) != ends:
            raise RunFailed("the committed offsets are not the ends of the input")
        if contender.name == OURS and status:
            raise RunFailed(f"ended with status {status} after SIGTERM\n{worker.tail()}")
        return figures

    def clean(self, contender: Contender, events: int) -> Figures:
        """A run of clean events. Raises RunFailed when it is void."""
        if events not in self._expected:
            self._expected[events] = expected_outputs(events, self._fan_out)
        with self._stage() as stage:
            figures = self._measure(contender, stage, result_event, events, stage.typed_topic)
            check_outputs(self._cluster, stage.typed_topic, self._partitions, self._expected[events])
        return figures

    def broken(self, events: int) -> Figures:
        """A run of nothing but broken records through this project. Raises RunFailed when it is void."""
        with self._stage() as stage:
            topic = stage.dead_letter_topic
            figures = self._measure(CONTENDERS[OURS], stage, broken_record, events, topic)
            check_dead_letters(
                self._cluster, topic, self._cluster.partitions(topic), self._partitions, events
            )
            if sum(self._cluster.ends(stage.typed_topic, self._partitions)):
                raise RunFailed("broken records made typed ones")
        return figures


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--events", type=int, default=100_000, help="events of each run (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=2, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--peers",
        default=",".join(CONTENDERS),
        help="who takes part, with commas between (default: %(default)s)",
    )
    parser.add_argument(
        "--partitions", type=int, default=4, help="partitions of the topics (default: %(default)s)"
    )
    parser.add_argument(
        "--broken",
        type=int,
        default=100_000,
        metavar="N",
        help="also N broken records in a row against N good ones; 0: none (default: %(default)s)",
    )
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a running Kafka; by default one is started")
    parser.add_argument(
        "--output",
        type=Path,
        default=_ROOT / "bench" / "results" / "fanout.local.json",
        help="where the figures go (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    arguments.peers = arguments.peers.split(",")
    if unknown := [name for name in arguments.peers if name not in CONTENDERS]:
        parser.error(f"unknown peers: {', '.join(unknown)}; there are: {', '.join(CONTENDERS)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the rounds, print the tables, write the figures. Gives 1 when a run was void."""
    arguments = _arguments(argv)
    contenders = [CONTENDERS[name] for name in arguments.peers]
    for contender in contenders:
        contender.install()
    before, runs = machine(), []
    with open_cluster(arguments.bootstrap) as (cluster, broker, kafka):
        bench = Bench(cluster, broker, arguments.partitions)
        for number in range(1, arguments.rounds + 1):
            for contender in contenders:
                run = lambda c=contender: bench.clean(c, arguments.events)  # noqa: E731
                runs.append(attempt("fan-out", number, contender.name, run))
        if arguments.broken and OURS in arguments.peers:
            for number in range(1, arguments.rounds + 1):
                good = lambda: bench.clean(CONTENDERS[OURS], arguments.broken)  # noqa: E731
                runs.append(attempt("good", number, OURS, good))
                runs.append(attempt("broken", number, OURS, lambda: bench.broken(arguments.broken)))
    result = {
        "command": " ".join(["python -m bench.fanout", *(sys.argv[1:] if argv is None else argv)]),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": before,
        "kafka": kafka,
        "events": arguments.events,
        "broken": arguments.broken,
        "partitions": arguments.partitions,
        "contenders": [
            {"name": c.name, "title": c.title, "promise": c.promise, "versions": c.versions()}
            for c in contenders
        ],
        "runs": [asdict(run) for run in runs],
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\n{tables(result)}\nfigures: {arguments.output}")
    return 1 if any(run.void for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())

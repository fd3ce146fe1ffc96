"""Fan-out by this project's router and by its peers: JSON in the raw topic -> Avro in the typed one.

`learning_outcome_result_created` events are validated and written as Avro in Confluent framing, keyed;
offsets are committed after delivery. Afterwards all output is read back (read_committed) and compared to the
byte, and the broker is asked for the committed offsets: a run that lost or invented a record is void.
Then broken records in a row against good ones, this project alone.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from app.schemas.contract import load_contract
from bench.check import check_dead_letters, check_outputs, expected_outputs
from bench.contenders import CONTENDERS, OURS, Contender
from bench.harness import Harness, followed, in_rounds, named, told
from bench.measure import Figures, RunFailed
from bench.peers.job import FanOut
from bench.rounds import attempt
from bench.stage import Stage, open_stage
from bench.workload import RESULT_EVENT, broken_record, feed, result_event

__all__ = ["FULL", "Sizes", "measure"]


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    events: int = 150_000
    rounds: int = 1
    partitions: int = 4
    broken: int = 0
    """Broken records in a row, against as many good ones."""
    peers: str = f"{OURS},streams-1,confluent-loop"


FULL = Sizes(events=300_000, rounds=3, broken=100_000, peers=",".join(CONTENDERS))


@cache
def _expected(events: int) -> Counter[int]:
    event = load_contract().events[RESULT_EVENT]
    return expected_outputs(events, FanOut(event.schema, event.local_id))


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """Rounds of all, then of good and broken records."""
    contenders = named(CONTENDERS, sizes.peers)
    ours = CONTENDERS[OURS]

    def clean(contender: Contender, stage: Stage, events: int) -> Figures:
        figures = _run(harness, contender, stage, result_event, events, stage.typed_topic)
        check_outputs(stage.cluster, stage.typed_topic, stage.partitions, _expected(events))
        return figures

    def one(contender: Contender, stage: Stage) -> Figures:
        return clean(contender, stage, int(sizes.events * contender.share))

    runs = in_rounds(harness, "fan-out", sizes.rounds, sizes.partitions, contenders, one)

    def alone(run: Callable[[Stage], Figures]) -> Figures:
        with open_stage(harness.cluster, sizes.partitions) as stage:
            return run(stage)

    for number in range(1, sizes.rounds + 1) if sizes.broken else ():
        good = lambda: alone(lambda stage: clean(ours, stage, sizes.broken))  # noqa: E731
        bad = lambda: alone(lambda stage: _broken(harness, ours, stage, sizes.broken))  # noqa: E731
        runs += [asdict(attempt("good", number, OURS, good)), asdict(attempt("broken", number, OURS, bad))]
    return {"contenders": told(contenders), "runs": runs}


def _broken(harness: Harness, ours: Contender, stage: Stage, events: int) -> Figures:
    """A run of nothing but broken records."""
    topic = stage.dead_letter_topic
    figures = _run(harness, ours, stage, broken_record, events, topic)
    check_dead_letters(stage.cluster, topic, stage.cluster.partitions(topic), stage.partitions, events)
    if sum(stage.cluster.ends(stage.typed_topic, stage.partitions)):
        raise RunFailed("broken records made typed ones")
    return figures


def _run(
    harness: Harness,
    contender: Contender,
    stage: Stage,
    record: Callable[[int], bytes | None],
    events: int,
    output: str,
) -> Figures:
    contender.prepare(stage)
    cluster, partitions = stage.cluster, stage.partitions
    feed(cluster.bootstrap, stage.raw_topic, partitions, map(record, range(events)))
    ends, outputs = cluster.ends(stage.raw_topic, partitions), cluster.partitions(output)
    group = contender.group(stage)
    figures = followed(
        harness,
        contender.start(stage),
        events,
        visible=lambda: sum(cluster.ends(output, outputs)),
        committed=lambda: cluster.committed(group, stage.raw_topic, partitions) == ends,
        clean_end=contender.ours,
    )
    if cluster.committed(group, stage.raw_topic, partitions) != ends:
        raise RunFailed("the committed offsets are not the ends of the input")
    return figures

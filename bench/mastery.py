"""Results to rows of mastery by this project and by its peers.

The job of this project: raw events -> typed records -> each student's mastery, computed as Canvas does, with
changelog, published on `outcome_mastery`. The peers' is simpler: raw events -> typed records, and the last 10
results of each user and outcome kept, with changelog. After each run all typed records are compared to the
byte, and all rows with what the events say: a run that lost or invented one is void.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.schemas.contract import load_contract
from bench.check import check_outputs
from bench.contenders import MASTERY_CONTENDERS, OURS, Contender
from bench.harness import Harness, followed, in_rounds, named, told
from bench.mastery_check import check_state
from bench.mastery_workload import OUTCOME_EVENT, definitions, last_results, placed
from bench.measure import Figures
from bench.peers.job import FanOut
from bench.stage import Stage
from bench.workload import RESULT_EVENT, deliver, result_event

__all__ = ["FULL", "Sizes", "expected_typed", "measure"]


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    events: int = 80_000
    users: int = 1_200
    """Students, at most 5,000."""
    rounds: int = 1
    partitions: int = 4
    peers: str = f"{OURS},streams-1,quix"


FULL = Sizes(events=120_000, users=1_800, rounds=3, peers=",".join(MASTERY_CONTENDERS))


@cache
def expected_typed(events: int, users: int) -> Counter[int]:
    """Fingerprints of (key, value) of the typed records."""
    event = load_contract().events[RESULT_EVENT]
    fan_out = FanOut(event.schema, event.local_id)
    return Counter(hash(fan_out(result_event(n, users))) for n in range(events))


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """Rounds of all."""
    contenders = named(MASTERY_CONTENDERS, sizes.peers)

    def one(contender: Contender, stage: Stage) -> Figures:
        events = int(sizes.events * contender.share)
        figures = _run(harness, contender, stage, events, sizes.users)
        expected = expected_typed(events, sizes.users)
        check_outputs(stage.cluster, stage.typed_topic, stage.partitions, expected)
        check_state(stage, events, sizes.users, ours=contender.ours)
        return figures

    runs = in_rounds(harness, "mastery", sizes.rounds, sizes.partitions, contenders, one)
    rows = len(last_results(sizes.events, sizes.users))
    return {"contenders": told(contenders), "rows": rows, "runs": runs}


def _run(harness: Harness, contender: Contender, stage: Stage, events: int, users: int) -> Figures:
    contender.prepare(stage)
    cluster, partitions, group = stage.cluster, stage.partitions, contender.group(stage)
    deliver(cluster.bootstrap, stage.raw_topic, placed(events, users, partitions))
    if contender.ours:
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
        return not contender.ours or mastered() == typed()

    return followed(
        harness,
        contender.start(stage),
        events,
        visible=mastered if contender.ours else typed,
        committed=all_done,
        clean_end=contender.ours,
    )

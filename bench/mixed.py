"""A whole stream of all kinds of events, as bad as it may get, against the same events as they should be.

All twelve kinds in the mix of a made-up school (app/school). "clean" is just that. "mixed" has in every event
a field that no contract knows, in body and metadata, and one record in a hundred that is broken. The whole
worker does the work, mastery included. Void when a typed record or dead letter is missing or too many, or
offsets are not committed to the end. Time runs over committed offsets of the raw topic and the results' own,
so to the end of the way.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec

from app.schemas.contract import load_contract
from app.school.fates import Typed
from app.school.stream import Plan, school_records
from app.school.wire import plain_parts
from bench.contenders import MASTERY_CONTENDERS, OURS
from bench.harness import Harness, followed
from bench.measure import Figures, RunFailed
from bench.rounds import attempt
from bench.stage import Stage, apply_topics, open_stage
from bench.workload import broken_record, feed

__all__ = ["FULL", "Sizes", "measure"]

_EVERY = 100
_KINDS = 12
# A framed record begins with five bytes of framing and the length of its event_id, which is its first field.
_ID = slice(6, 38)
_encode = msgspec.json.encode


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    events: int = 40_000
    rounds: int = 1
    partitions: int = 4


FULL = Sizes(events=100_000, rounds=2)


@cache
def _events(count: int) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, metadata and body of so many events."""
    plan = Plan(events=count, students=max(12, count // 80), accounts=1, bad_share=0.0, huge=False)
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for record in school_records(plan):
        if isinstance(record.fate, Typed) and not record.repeated:
            found.append((record.fate.event.name, *plain_parts(record.fate.event)))
            if len(found) == count:
                return found
    raise AssertionError


def _stream(count: int, *, mixed: bool) -> Iterator[tuple[str | None, bytes | None]]:
    """Records with the names of their events, None for a broken one."""
    for number, (name, metadata, body) in enumerate(_events(count)):
        if not mixed:
            yield name, _encode({"metadata": metadata, "body": body})
        elif number % _EVERY == _EVERY - 1:
            yield None, broken_record(number // _EVERY)
        else:
            new = {"new_in_canvas": f"n{number}"}
            yield name, _encode({"metadata": metadata | new, "body": body | new})


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """Pairs of clean and mixed."""
    runs = []
    for number in range(1, sizes.rounds + 1):
        for what in ("clean", "mixed"):

            def one(what: str = what) -> Figures:
                with open_stage(harness.cluster, sizes.partitions) as stage:
                    return _run(harness, stage, sizes.events, mixed=what == "mixed")

            runs.append(asdict(attempt(what, number, OURS, one)))
    kinds = Counter(name for name, _, _ in _events(sizes.events))
    return {"kinds": dict(kinds), "runs": runs}


def _run(harness: Harness, stage: Stage, events: int, *, mixed: bool) -> Figures:
    apply_topics(stage)
    cluster, partitions, group = stage.cluster, stage.partitions, stage.group
    records = list(_stream(events, mixed=mixed))
    feed(cluster.bootstrap, stage.raw_topic, partitions, (raw for _, raw in records))
    cluster.commit_beginning(group, (stage.raw_topic, *stage.result_topics), partitions)
    results = sum(name is not None and "outcome_result" in name for name, _ in records)

    def committed(topic: str) -> int:
        return sum(offset or 0 for offset in cluster.committed(group, topic, partitions))

    def progress() -> int:
        steps = committed(stage.raw_topic) + sum(map(committed, stage.result_topics))
        return steps * events // (events + results)

    def done() -> bool:
        if committed(stage.raw_topic) < events:
            return False
        return all(committed(topic) == sum(cluster.ends(topic, partitions)) for topic in stage.result_topics)

    figures = followed(
        harness,
        MASTERY_CONTENDERS[OURS].start(stage),
        events,
        visible=progress,
        committed=done,
        clean_end=True,
    )
    _check(stage, records)
    return figures


def _check(stage: Stage, records: list[tuple[str | None, bytes | None]]) -> None:
    """Every event once in its topic, by the id that its bytes give it; broken ones among the dead letters."""
    cluster = stage.cluster
    expected = Counter((name, sha256(raw or b"").hexdigest()[:32]) for name, raw in records if name)
    found: Counter[tuple[str, str]] = Counter()
    for name in load_contract().events:
        topic = f"{stage.prefix}{name}"
        for message in cluster.read(topic, cluster.partitions(topic)):
            value = message.value()
            found[name, value[_ID].decode() if isinstance(value, bytes) else ""] += 1
    if found != expected:
        missing, surplus = (expected - found).total(), (found - expected).total()
        raise RunFailed(f"{missing} typed records missing, {surplus} too many")
    broken = Counter(raw for name, raw in records if name is None)
    topic = stage.dead_letter_topic
    letters = Counter(message.value() for message in cluster.read(topic, cluster.partitions(topic)))
    if letters != broken:
        raise RunFailed(
            f"{(broken - letters).total()} dead letters missing, {(letters - broken).total()} too many"
        )
    if len({name for name, _ in expected}) != _KINDS:
        raise RunFailed("not all kinds of events are in it: more events are needed")

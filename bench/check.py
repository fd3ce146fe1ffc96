"""Was it right? A run that lost, invented or changed a record is void."""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

from bench.broker import Cluster
from bench.measure import RunFailed
from bench.peers.job import FanOut
from bench.workload import broken_record, result_event

__all__ = ["check_dead_letters", "check_outputs", "expected_outputs"]

_SOURCE = ("__streams.errors.partition", "__streams.errors.offset")


def expected_outputs(events: int, fan_out: FanOut) -> Counter[int]:
    """Fingerprints of (key, value) of what the first `events` events must become."""
    return Counter(hash(fan_out(result_event(number))) for number in range(events))


def _compare(expected: Counter[Hashable], found: Iterable[Hashable]) -> None:
    left = Counter(expected)
    left.subtract(found)
    missing = sum(count for count in left.values() if count > 0)
    surplus = sum(-count for item, count in left.items() if count < 0 and item in expected)
    unknown = sum(-count for item, count in left.items() if count < 0 and item not in expected)
    if missing or surplus or unknown:
        raise RunFailed(f"{missing} records missing, {surplus} twice, {unknown} not as they should be")


def check_outputs(cluster: Cluster, topic: str, partitions: int, expected: Counter[int]) -> None:
    """Raise RunFailed unless the topic holds exactly the expected records, each once, to the byte."""
    _compare(Counter(expected), (hash((m.key(), m.value())) for m in cluster.read(topic, partitions)))


def check_dead_letters(
    cluster: Cluster, topic: str, partitions: int, raw_partitions: int, records: int
) -> None:
    """Raise RunFailed unless the topic holds all broken records, each once, source and bytes."""
    # feed() deals the records out in turn: record n is number n // raw_partitions of its partition.
    expected: Counter[Hashable] = Counter(
        ((str(n % raw_partitions), str(n // raw_partitions)), hash(broken_record(n))) for n in range(records)
    )

    def found() -> Iterable[Hashable]:
        for message in cluster.read(topic, partitions):
            headers: dict[str, Any] = dict(message.headers() or [])
            source = tuple(headers.get(name, b"").decode() for name in _SOURCE)
            yield source, hash(message.value())

    _compare(expected, found())

"""`/metrics` in Prometheus's form, read from the worker's progress when it is asked for."""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import __version__
from app.mastery_numbers import MasteryNumbers
from app.stream.progress import PartitionProgress, Phase, ProgressSnapshot
from app.web.health import Looks
from app.web.mastery_metrics import MasteryCollector, mastery_counters
from app.web.security.viewer import Viewer

__all__ = ["ProgressCollector", "metrics_route"]


# Metrics that, less the students of each outcome, tell how many those have that are too few to be shown.
_OF_ALL = frozenset({"mastery_rows", "mastery_restore_records"})

# Counters of a snapshot, the label of each, and what it counts.
_COUNTERS = (
    ("events", "event", "Typed records committed, by event."),
    ("dead_letters", "kind", "Dead letters committed, by kind of error."),
    ("ignored", "event", "Documented events outside the twelve that were passed over, by event."),
)


class ProgressCollector(Collector):
    """Turns one consistent snapshot into metrics at each scrape: the hot path counts nothing for it.

    Counters count what was committed. `expected` holds, for `events`, `dead_letters` and `ignored`, the label
    values that start at 0, so that their first increase is seen: Prometheus's `increase()` takes a series
    that appears with 1 as no increase.
    """

    def __init__(self, progress: Looks, expected: Mapping[str, Iterable[str]] | None = None) -> None:
        self._progress = progress
        self._expected = {name: tuple(labels) for name, labels in (expected or {}).items()}

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not read the progress."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of this worker. Durations and times are in seconds, offsets are positions."""
        snapshot = self._progress.snapshot()
        yield _build_info()
        yield from _state(snapshot)
        for name, label, text in _COUNTERS:
            family = CounterMetricFamily(f"mastery_{name}", text, labels=[label])
            counts = dict.fromkeys(self._expected.get(name, ()), 0) | getattr(snapshot, name)
            for value, count in sorted(counts.items()):
                family.add_metric([value], count)
            yield family
        yield from mastery_counters(snapshot.mastery, snapshot.restore)
        yield _last_events(snapshot.last_events)
        yield from _checkpoints(snapshot)
        yield from _partitions(snapshot.partitions)


def _build_info() -> Metric:
    info = GaugeMetricFamily(
        "mastery_build_info", "Always 1; the labels tell what runs.", labels=["version", "python"]
    )
    info.add_metric([__version__, platform.python_version()], 1)
    return info


def _state(snapshot: ProgressSnapshot) -> Iterator[Metric]:
    phase = GaugeMetricFamily(
        "mastery_phase", "1 for what the worker does now, else 0. Only running is ready.", labels=["phase"]
    )
    for candidate in Phase:
        phase.add_metric([candidate.value], candidate is snapshot.phase)
    yield phase
    yield GaugeMetricFamily("mastery_ready", "1 when the stream runs, else 0.", value=snapshot.ready)
    yield GaugeMetricFamily(
        "mastery_started_timestamp_seconds", "When the worker started.", value=snapshot.started_at
    )
    yield CounterMetricFamily("mastery_rebalances", "Assignments taken over.", value=snapshot.rebalances)
    yield GaugeMetricFamily(
        "mastery_group_generation",
        "Generation of the consumer group; -1 before joining.",
        value=snapshot.generation,
    )


def _last_events(times: Mapping[tuple[str, str], float]) -> Metric:
    """Absent for what this worker has not seen yet: nobody knows how old the newest event is then."""
    family = GaugeMetricFamily(
        "mastery_last_event_age_seconds",
        "Seconds since Canvas sent the newest event that this worker has committed, by its event_time.",
        labels=["event", "root_account"],
    )
    now = time.time()
    for source, sent_at in sorted(times.items()):
        family.add_metric(source, max(0.0, now - sent_at))
    return family


def _checkpoints(snapshot: ProgressSnapshot) -> Iterator[Metric]:
    yield SummaryMetricFamily(
        "mastery_checkpoint_seconds",
        "Committed checkpoints and the time they took.",
        count_value=snapshot.checkpoints,
        sum_value=snapshot.checkpoint_seconds,
    )
    if snapshot.last_checkpoint_at is not None:
        yield GaugeMetricFamily(
            "mastery_last_checkpoint_timestamp_seconds",
            "When the last checkpoint was committed.",
            value=snapshot.last_checkpoint_at,
        )
    if snapshot.last_checkpoint_seconds is not None:
        yield GaugeMetricFamily(
            "mastery_last_checkpoint_duration_seconds",
            "How long the last checkpoint took.",
            value=snapshot.last_checkpoint_seconds,
        )


def _partitions(partitions: tuple[PartitionProgress, ...]) -> Iterator[Metric]:
    """Unknown offsets are left out: a 0 would look like a position."""
    texts = {
        "read": ("mastery_partition_read_offset", "Position of the consumer."),
        "committed": ("mastery_partition_committed_offset", "Committed position."),
        "end": ("mastery_partition_end_offset", "End of the partition (last stable offset)."),
        "lag": ("mastery_partition_lag", "Offsets between committed position and end, markers included."),
    }
    for attribute, (name, text) in texts.items():
        family = GaugeMetricFamily(name, text, labels=["topic", "partition"])
        for partition in partitions:
            value = getattr(partition, attribute)
            if value is not None:
                family.add_metric([partition.topic, str(partition.partition)], value)
        yield family


def metrics_route(
    progress: Looks,
    expected: Mapping[str, Iterable[str]] | None = None,
    numbers: Callable[[], MasteryNumbers | None] = lambda: None,
    pid: Callable[[], int | str] = lambda: "self",
) -> Route:
    """Return the route `/metrics`: the worker's progress, mastery, and its process (CPU, memory, files).

    `pid` tells which process the worker is; the names of this process's own begin with `mastery_web_process`.

    It has a registry of its own, so nothing that Faust or another library registers globally shows up.
    """
    registry = CollectorRegistry()
    registry.register(ProgressCollector(progress, expected))
    registry.register(MasteryCollector(numbers))
    ProcessCollector(pid=pid, registry=registry)
    ProcessCollector(namespace="mastery_web", registry=registry)
    return Route("/metrics", partial(_metrics, registry), methods=["GET"])


async def _metrics(registry: CollectorRegistry, request: Request) -> Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    content = encode(_Without(registry, _OF_ALL) if _is_narrowed(request) else registry)
    return Response(content, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def _is_narrowed(request: Request) -> bool:
    """Whether the login does not see all students."""
    viewer = getattr(request.state, "viewer", None)
    if not isinstance(viewer, Viewer):
        return False
    return not viewer.sees_students or viewer.accounts is not None or viewer.courses is not None


class _Without(Collector):
    """A registry without some of its metrics."""

    def __init__(self, registry: CollectorRegistry, names: frozenset[str]) -> None:
        self._registry = registry
        self._names = names

    def collect(self) -> Iterator[Metric]:
        """Yield the rest."""
        return (family for family in self._registry.collect() if family.name not in self._names)

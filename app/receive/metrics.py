"""What a receiver counts, in Prometheus's form."""

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import __version__
from app.receive.refusals import Refusal

__all__ = ["ReceiveMetrics"]

#: Seconds: a broker's acknowledgement takes milliseconds, and after 10 it is over.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LABELS: Final = (*map(str, _BUCKETS), "+Inf")


class ReceiveMetrics(Collector):
    """Counts of one receiver: plain numbers, made into metrics when they are asked for.

    `way` is `https` or `sqs`. Names begin with `mastery_receive_`. `numbers` are counters and gauges besides,
    by name: what they mean, and what tells their value at each scrape. A name that ends in `_total` counts.
    """

    def __init__(self, way: str, numbers: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._way = way
        self._numbers = numbers
        self.events = 0
        self.bytes = 0
        self.refused = dict.fromkeys(Refusal, 0) if way == "https" else {}
        self._times = [0] * len(_LABELS)
        self._seconds = 0.0

    def accepted(self, size: int, seconds: float) -> None:
        """Count an event that the broker has, `seconds` after it came."""
        self.events += 1
        self.bytes += size
        self._times[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds += seconds

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must ask for nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        info = GaugeMetricFamily(
            "mastery_receive_build_info",
            "Always 1; the labels tell what runs.",
            labels=["version", "python", "way"],
        )
        info.add_metric([__version__, platform.python_version(), self._way], 1)
        yield info
        yield CounterMetricFamily(
            "mastery_receive_events", "Events that the broker has acknowledged.", value=self.events
        )
        yield CounterMetricFamily("mastery_receive_event_bytes", "Their bytes.", value=self.bytes)
        yield HistogramMetricFamily(
            "mastery_receive_seconds",
            "Time from the beginning of a request, or the arrival of a message, to the acknowledgement.",
            buckets=list(zip(_LABELS, accumulate(self._times), strict=True)),
            sum_value=self._seconds,
        )
        if self.refused:
            yield self._refusals()
        for name, (text, value) in self._numbers.items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"mastery_receive_{name.removesuffix('_total')}", text, value=value())

    def _refusals(self) -> Metric:
        """All reasons from the beginning: Prometheus takes a series that appears with 1 as no increase."""
        family = CounterMetricFamily(
            "mastery_receive_refused",
            "Requests that were not taken, by reason and HTTP status.",
            labels=["reason", "status"],
        )
        for refusal, count in self.refused.items():
            family.add_metric([refusal.label, str(refusal.status)], count)
        return family

    def route(self) -> Route:
        """Return the route `/metrics`, with a registry of its own."""
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)

        async def answer(request: Request) -> Response:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
            return Response(
                encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"}
            )

        return Route("/metrics", answer, methods=["GET"])

"""Metrics of mastery: what became of results and rows, and what a worker holds. None names a person."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from app.mastery_numbers import MasteryNumbers

__all__ = ["NOT_PLACED", "MasteryCollector", "mastery_counters"]

#: Why a result changes no row, as the stream counts it.
NOT_PLACED: Final = ("no-student", "no-identity", "unfit-id", "empty", "passed-over")

_COUNTERS: Final = {
    "results": ("mastery_results", "Results applied to rows, repeated ones too."),
    "changed": ("mastery_rows_changed", "Rows written, once for each batch of results."),
    "published": ("mastery_rows_published", "Rows published because their content changed."),
    "recomputed": ("mastery_rows_recomputed", "Rows computed again because their definition changed."),
}


def mastery_counters(counts: Mapping[str, int], restore: tuple[int, int] | None) -> Iterator[Metric]:
    """Yield the counters of what was committed, and of the last restore, from a ProgressSnapshot."""
    for name, (metric, text) in _COUNTERS.items():
        yield CounterMetricFamily(metric, text, value=counts.get(name, 0))
    family = CounterMetricFamily(
        "mastery_results_not_placed",
        "Results that belong to no row: no student, nothing to tell them apart by, no content, or of a"
        " student who was forgotten.",
        labels=["reason"],
    )
    for reason in NOT_PLACED:
        family.add_metric([reason], counts.get(reason, 0))
    yield family
    if restore is not None:
        gauge = GaugeMetricFamily(
            "mastery_restore_records",
            "Records of the changelog in the restore that runs, or ran last: read, and known to be left.",
            labels=["state"],
        )
        gauge.add_metric(["read"], restore[0])
        gauge.add_metric(["left"], restore[1])
        yield gauge


class MasteryCollector(Collector):
    """Tells what `numbers` returns at each scrape; nothing while that is None."""

    def __init__(self, numbers: Callable[[], MasteryNumbers | None]) -> None:
        self._numbers = numbers

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not count."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield how many rows, outcomes and scales there are, and what is probably set wrong."""
        numbers = self._numbers()
        if numbers is None:
            return
        if numbers.rows is not None:
            yield GaugeMetricFamily(
                "mastery_rows", "Rows in the partitions that this worker owns.", value=numbers.rows
            )
        known = numbers.definitions
        family = GaugeMetricFamily(
            "mastery_definitions",
            "Outcomes and mastery scales that events have told of, deleted ones too. Every worker has all.",
            labels=["kind"],
        )
        family.add_metric(["outcome"], known.outcomes)
        family.add_metric(["proficiency"], known.proficiencies)
        yield family
        yield GaugeMetricFamily(
            "mastery_unknown_outcomes",
            "Outcomes of results or rows, since the worker's start, that no event has told of.",
            value=known.unknown_outcomes,
        )
        unused = GaugeMetricFamily(
            "mastery_unused_scales",
            "1 for each root account with mastery scales in force for which account_level_scales is off.",
            labels=["root_account"],
        )
        for account in known.accounts_with_unused_scales:
            unused.add_metric([account], 1)
        yield unused

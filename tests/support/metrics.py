"""What a worker's /metrics holds, and which of it a PromQL expression asks for."""

import re
from collections import Counter
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, ProcessCollector

from app.definitions.lookup import DefinitionCounts
from app.mastery_numbers import MasteryNumbers
from app.stream.progress import Phase, Progress
from app.web.mastery_metrics import MasteryCollector
from app.web.metrics import ProgressCollector

__all__ = ["asked_for", "exported"]

_SELECTOR = re.compile(r"\b(?P<name>(?:mastery|process)[a-z_:]*)\b(?:\{(?P<matchers>[^}]*)\})?")
_LABELS = re.compile(r"\b(?:by|on|without|ignoring) ?\((?P<labels>[^)]*)\)")
# Prometheus itself puts these on what it scrapes.
_OF_THE_SCRAPE = {"job", "instance"}


def exported() -> dict[str, set[str]]:
    """Labels by name of sample, of a worker that has done everything once; with those that a scrape adds."""
    progress = Progress()
    place = ("canvas.live-events", 0)
    progress.assigned(1, {place: 0})
    progress.enter(Phase.RUNNING)
    progress.ends({place: 9})
    progress.restored(5, 4)
    progress.committed(
        {place: 5},
        events=Counter({"rubric_assessed": 5}),
        dead_letters=Counter({"not-json": 1}),
        ignored=Counter({"logged_in": 1}),
        newest={("rubric_assessed", "account"): datetime.now(UTC)},
        seconds=0.1,
    )
    registry = CollectorRegistry()
    registry.register(ProgressCollector(progress))
    registry.register(MasteryCollector(lambda: MasteryNumbers(1, DefinitionCounts(1, 0, 1, 1, ("account",)))))
    ProcessCollector(registry=registry)
    samples: dict[str, set[str]] = {}
    for family in registry.collect():
        for sample in family.samples:
            samples[sample.name] = set(sample.labels) | _OF_THE_SCRAPE
    # Told by /proc alone, so by workers on Linux.
    for name in ("resident_memory_bytes", "virtual_memory_bytes", "start_time_seconds", "cpu_seconds_total"):
        samples.setdefault(f"process_{name}", _OF_THE_SCRAPE)
    for name in ("open_fds", "max_fds"):
        samples.setdefault(f"process_{name}", _OF_THE_SCRAPE)
    return samples


def asked_for(expression: str) -> tuple[dict[str, set[str]], set[str]]:
    """Metrics of the project in a PromQL expression, each with the labels it is selected by; then all labels
    that the expression groups or joins by.
    """
    metrics: dict[str, set[str]] = {}
    for match in _SELECTOR.finditer(expression):
        labels = re.findall(r"(\w+) *(?:=~|!~|!=|=)", match["matchers"] or "")
        metrics.setdefault(match["name"], set()).update(labels)
    grouped = {
        label.strip() for match in _LABELS.finditer(expression) for label in match["labels"].split(",")
    }
    return metrics, grouped

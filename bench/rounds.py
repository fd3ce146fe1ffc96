"""What all comparisons have in common: runs that count or are void, and what to say of machine and broker."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from bench.broker import Cluster
from bench.measure import Figures, ProcessTree, RunFailed

__all__ = ["FAILURES", "Run", "attempt", "commit", "machine", "open_cluster", "reason"]

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Run:
    """One run of one contender: its figures, or why it is void."""

    workload: str
    round: int
    contender: str
    figures: Figures | None
    void: str | None = None


FAILURES = (RunFailed, KafkaException, RuntimeError)
"""What makes a run void, and does not end the others."""


def reason(what: str, failure: Exception) -> str:
    """Print why a run is void, with the worker's log; give the first line, for the result file."""
    print(f"{what}: VOID: {failure}", flush=True)
    return str(failure).partition("\n")[0]


def attempt(workload: str, number: int, contender: str, run: Callable[[], Figures]) -> Run:
    """Run it, print its figures or why it is void."""
    try:
        done = Run(workload, number, contender, run())
    except FAILURES as failure:
        done = Run(workload, number, contender, None, reason(f"{workload} {contender}", failure))
    if done.figures is not None:
        f = done.figures
        print(
            f"{workload:8} round {number} {contender:15} {f.events_per_second:9,.0f} events/s"
            f"  {f.cpu_per_100k:6.2f} CPU s/100k  {f.peak_rss_mb:5.0f} MB  ({f.seconds:.1f} s)",
            flush=True,
        )
    return done


def machine() -> dict[str, Any]:
    """Cores, memory, Python and the load at this moment."""
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu": cpus[0].partition(": ")[2] if cpus else platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def commit() -> str:
    """The commit of the checkout."""
    git = shutil.which("git")
    command = [git or "git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def open_cluster(bootstrap: str | None) -> Iterator[tuple[Cluster, ProcessTree | None, str]]:
    """The given cluster, or a real Kafka of one broker for as long as this lasts."""
    if bootstrap:
        yield Cluster(bootstrap), None, f"Kafka at {bootstrap}"
        return
    from tests.kafka.server import KafkaServer  # noqa: PLC0415 - only needed, and only there, in a checkout

    # Not the options for a quick start: what is measured is a server that runs for long.
    with KafkaServer(heap="1g", java_options=()) as server:
        yield Cluster(server.bootstrap), ProcessTree(server.pid), "Apache Kafka, one broker, on this machine"

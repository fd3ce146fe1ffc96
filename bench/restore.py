"""A worker without its files: how fast rows come back from the changelog, and at what memory.

Void when not all rows came back. See bench/mastery_restore.py.
"""

from dataclasses import dataclass
from typing import Any

from bench.harness import Harness
from bench.mastery_restore import measure_restore
from bench.rounds import FAILURES, reason

__all__ = ["FULL", "Sizes", "measure"]


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    rows: int = 200_000
    partitions: int = 12
    rounds: int = 1


FULL = Sizes(rows=1_000_000, rounds=2)


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """So many restores, one after another."""
    runs = []
    for number in range(1, sizes.rounds + 1):
        try:
            found = measure_restore(harness.cluster, sizes.rows, sizes.partitions)
        except FAILURES as failure:
            found = {"rows": sizes.rows, "void": reason("restore", failure)}
        print(f"restore  round {number} {found}", flush=True)
        runs.append(found)
    return {"runs": runs}

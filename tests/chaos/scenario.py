"""Named scenarios: tests that inject faults, chosen by name, seed and length."""

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

__all__ = ["MINUTES", "SEED", "rounds", "scenario", "wanted"]

#: `make chaos SEED=7 MINUTES=10`: another seed makes other workloads and faults, minutes repeat a scenario.
SEED = int(os.environ.get("CHAOS_SEED", "0"))
MINUTES = float(os.environ.get("CHAOS_MINUTES", "0"))
_ALL = "all"


def scenario(name: str, *, ci: bool = False, seconds: float = 240) -> Callable[[Any], Any]:
    """Mark a test as the scenario of that name, which takes at most so many seconds a round.

    Without `make chaos` those with `ci` run alone.
    """

    def mark(test: Any) -> Any:
        marked = pytest.mark.scenario(name=name, ci=ci)(pytest.mark.kafka(test))
        return pytest.mark.timeout(seconds + 60 * MINUTES)(marked)

    return mark


def wanted(name: str, *, ci: bool) -> bool:
    """Whether this run is to run a scenario: CHAOS_SCENARIO holds its name, or `all`."""
    asked = os.environ.get("CHAOS_SCENARIO", "")
    return ci if not asked else asked in {_ALL, name}


def rounds(name: str) -> Iterator[tuple[int, random.Random]]:
    """Yield seed and random numbers for one round, and for more of them until MINUTES are over."""
    until = time.monotonic() + 60 * MINUTES
    seed = SEED
    while True:
        yield seed, random.Random(f"{name} {seed}")
        if time.monotonic() >= until:
            return
        seed += 1

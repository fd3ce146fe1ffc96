"""Named scenarios: tests that inject faults, chosen by name, seed and length."""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["FULL", "MINUTES", "SEED", "again", "rounds", "scenario", "times", "unknown", "wanted"]

#: `make chaos SEED=7 MINUTES=10`: another seed makes other workloads and faults, minutes repeat a scenario.
SEED = int(os.environ.get("CHAOS_SEED", "0"))
MINUTES = float(os.environ.get("CHAOS_MINUTES", "0"))
#: What `make chaos` asked for; empty in `make test-kafka`, where scenarios take their short form, as they do
#: with CHAOS_SHORT=1.
_ASKED = frozenset(filter(None, os.environ.get("CHAOS_SCENARIO", "").split(",")))
FULL = bool(_ASKED) and not os.environ.get("CHAOS_SHORT")
_ALL = "all"
_BUSY = 2


def scenario(
    name: str, *, ci: bool = False, seconds: float = 240, kafka: bool = True
) -> Callable[[Any], Any]:
    """Mark a test as the scenario of that name, which may take so many seconds a round, when busy twice that.

    Without `make chaos` those with `ci` run alone. The docstring of the test says what is done and what must
    hold: docs/reliability.md shows it. Without `kafka` it needs no broker, or marks itself.
    """

    def mark(test: Any) -> Any:
        marked = pytest.mark.scenario(name=name, ci=ci)(test)
        if kafka:
            marked = pytest.mark.kafka(marked)
        return pytest.mark.timeout(_BUSY * seconds + 60 * MINUTES)(marked)

    return mark


def wanted(name: str, *, ci: bool) -> bool:
    """Whether this run is to run a scenario: CHAOS_SCENARIO holds names with commas between, or `all`."""
    return bool(_ASKED & {_ALL, name}) if _ASKED else ci


def unknown(folder: Path) -> str | None:
    """Say what is wrong with the names that were asked for: the tests of the folder have the known ones."""
    known = {"fuzz", _ALL}
    for path in folder.glob("test_*.py"):
        known.update(re.findall(r"^@scenario\(\s*\"([^\"]+)\"", path.read_text(), re.MULTILINE))
    if not (wrong := _ASKED - known):
        return None
    return f"no such scenario: {', '.join(sorted(wrong))}; there are {', '.join(sorted(known))}"


def times(full: int, *, ci: int) -> int:
    """How often a fault is to come: in `make chaos`, and in CI."""
    return full if FULL else ci


def rounds(name: str) -> Iterator[tuple[int, random.Random]]:
    """Yield seed and random numbers for one round, and for more of them until MINUTES are over."""
    until = time.monotonic() + 60 * MINUTES
    seed = SEED
    while True:
        yield seed, random.Random(f"{name} {seed}")
        if time.monotonic() >= until:
            return
        seed += 1


def again(name: str, seed: int) -> str:
    """Return the command that runs a round of a scenario again."""
    short = "" if FULL else "CHAOS_SHORT=1 "
    return f"{short}make chaos SCENARIO={name} SEED={seed}"

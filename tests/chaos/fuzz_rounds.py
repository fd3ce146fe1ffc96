"""Property tests that run for as long as one likes.

`make test` runs each once, with some hundred examples. `FUZZ_MINUTES=10` runs each for so many minutes, in
rounds of a thousand examples, each with the next seed; `FUZZ_SEED=7` begins with that seed, which a failure
names.
"""

import os
import secrets
import time
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

__all__ = ["fuzz"]

_MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
_ROUND = 1_000


def fuzz(*inputs: st.SearchStrategy[Any], examples: int) -> Callable[[Callable[..., None]], Any]:
    """Make a test of a function that takes one of each of the inputs."""

    def decorate(function: Callable[..., None]) -> Any:
        profile = hypothesis.settings(
            max_examples=_ROUND if _MINUTES else examples,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )

        @pytest.mark.timeout(60 * _MINUTES + 120)
        def run() -> None:
            until = time.monotonic() + 60 * _MINUTES
            seed = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(1 << 32))
            while True:
                try:
                    hypothesis.seed(seed)(profile(hypothesis.given(*inputs)(function)))()
                except BaseException as error:
                    error.add_note(f"to run it again: FUZZ_SEED={seed} FUZZ_MINUTES={_MINUTES:g}")
                    raise
                if time.monotonic() >= until:
                    return
                seed += 1

        run.__name__ = run.__qualname__ = function.__name__
        return run

    return decorate

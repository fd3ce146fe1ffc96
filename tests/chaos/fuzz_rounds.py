"""Property tests that run for as long as one likes: the scenario `fuzz`.

`make test` runs each once, with some hundred examples and any seed, which a failure names.
`make chaos SCENARIO=fuzz SEED=7 MINUTES=10` runs each for so many minutes, in rounds of five times as many
examples, each with the next seed.
"""

import secrets
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.chaos.record import RunRecord
from tests.chaos.scenario import FULL, again, rounds, scenario

__all__ = ["fuzz"]

_NAME = "fuzz"
_LONGER = 5


def fuzz(*inputs: st.SearchStrategy[Any], examples: int) -> Callable[[Callable[..., None]], Any]:
    """Make a test of a function that takes one of each of the inputs. Its docstring says what must hold."""

    def decorate(function: Callable[..., None]) -> Any:
        profile = hypothesis.settings(
            max_examples=examples * (_LONGER if FULL else 1),
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )

        def run() -> None:
            for seed, _ in rounds(_NAME):
                _round(function, inputs, profile, seed if FULL else secrets.randbelow(1 << 32))

        run.__name__ = run.__qualname__ = function.__name__
        run.__doc__, run.__module__ = function.__doc__, function.__module__
        return scenario(_NAME, ci=True, seconds=180, kafka=False)(run)

    return decorate


def _round(
    function: Callable[..., None],
    inputs: tuple[st.SearchStrategy[Any], ...],
    profile: hypothesis.settings,
    seed: int,
) -> None:
    record = RunRecord(_NAME, seed, part=function.__name__.removeprefix("test_").replace("_", "-"))

    def counted(given: tuple[Any, ...]) -> None:
        record.count(inputs=1)
        function(*given)

    try:
        hypothesis.seed(seed)(profile(hypothesis.given(st.tuples(*inputs))(counted)))()
    except BaseException as error:
        command = again(_NAME, seed)
        error.add_note(f"to run it again: {command}")
        record.write(f"{type(error).__name__}: {error}")
        raise
    if FULL:
        record.write(None)

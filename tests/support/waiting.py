"""Waiting with a deadline, and saying what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_until"]

_T = TypeVar("_T")


def wait_until(
    condition: Callable[[], _T],
    *,
    timeout: float,
    what: str,
    detail: Callable[[], object] | None = None,
    interval: float = 0.05,
) -> _T:
    """Return the first true value of `condition()`; AssertionError with `detail()` after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            message = f"waited {timeout:g} s for {what}"
            raise AssertionError(message if detail is None else f"{message}\n{detail()}")
        time.sleep(interval)
    return value

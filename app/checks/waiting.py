"""Waiting for what may still come up: try, say why not, wait a little longer each time."""

import time
from collections.abc import Callable
from typing import TypeVar

from app.checks.errors import NotInTime
from app.errors import MasteryError
from app.kafka import BrokerUnreachable

__all__ = ["retry_until"]

T = TypeVar("T")

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 4.0


def retry_until(
    deadline: float,
    call: Callable[[], T],
    say: Callable[[str], object],
    *,
    on: tuple[type[MasteryError], ...] = (BrokerUnreachable,),
) -> T:
    """Return what `call` returns; while it raises one of `on`, wait and call again.

    `deadline` is an instant of `time.monotonic()`. There is one line to `say` for each failed try. After the
    deadline the last error is raised as NotInTime, with its hint. Any other error passes at once.
    """
    began = time.monotonic()
    pause = _FIRST_PAUSE
    while True:
        try:
            return call()
        except on as error:
            now = time.monotonic()
            if now >= deadline:
                raise NotInTime(f"{error}; waited {now - began:.0f} s", hint=error.hint) from error
            left = deadline - now
            pause = min(pause, left)
            say(f"{error}; next try in {pause:.1f} s, {left:.0f} s left")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

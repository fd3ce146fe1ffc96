"""How fast one client may ask: a bucket of tokens for each, as many buckets as fit."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

__all__ = ["Buckets"]

_MOST: Final = 10_000


class Buckets:
    """`rate` requests a second for each key, `burst` at once. A rate of 0 lets all through.

    The keys that were silent longest are forgotten first: they start with a full bucket again.
    """

    def __init__(
        self, rate: float, burst: float, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> float:
        """Take one, and return 0; or take nothing, and return the seconds until there is one."""
        if self._rate <= 0:
            return 0.0
        level = self._level(key)
        if level < 1:
            return (1 - level) / self._rate
        self._buckets[key] = level - 1, self._clock()
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0

    def give_back(self, key: str) -> None:
        """Put one back that was taken."""
        if key in self._buckets:
            level, at = self._buckets[key]
            self._buckets[key] = level + 1, at

    def _level(self, key: str) -> float:
        level, at = self._buckets.get(key, (self._burst, self._clock()))
        return min(self._burst, level + (self._clock() - at) * self._rate)

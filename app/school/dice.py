"""Chance that can be repeated: the same on every machine, every Python, and whatever PYTHONHASHSEED is.

Only `Random.random()` with a whole number as seed is used, the one method whose sequence Python promises to
keep; the rest is arithmetic that IEEE 754 fixes. (`choice`, `shuffle`, `gauss` and the like have changed
between versions, and the C library's `log` or `exp` differs between machines.)
"""

from base64 import b64encode
from collections.abc import MutableSequence, Sequence
from hashlib import sha256
from random import Random
from typing import TypeVar

__all__ = ["Dice", "identifier"]

T = TypeVar("T")

_LETTERS_ONLY = bytes.maketrans(b"+/", b"xX")


class Dice:
    """Draws that depend on `seed` alone: text and whole numbers, in any number."""

    def __init__(self, *seed: str | int) -> None:
        digest = sha256("/".join(map(str, seed)).encode()).digest()
        #: A number from 0 to below 1.
        self.random = Random(int.from_bytes(digest[:16], "big")).random  # noqa: S311 - nothing secret

    def chance(self, share: float) -> bool:
        """Return True in this share of all draws."""
        return self.random() < share

    def between(self, lowest: int, highest: int) -> int:
        """Return a whole number, both ends included."""
        return lowest + int(self.random() * (highest - lowest + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[int(self.random() * len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put the items into another order."""
        for last in range(len(items) - 1, 0, -1):
            other = int(self.random() * (last + 1))
            items[last], items[other] = items[other], items[last]

    def sample(self, items: Sequence[T], size: int) -> list[T]:
        """Return up to `size` different items, in any order."""
        rest = list(items)
        size = min(size, len(rest))
        for place in range(size):
            other = place + int(self.random() * (len(rest) - place))
            rest[place], rest[other] = rest[other], rest[place]
        return rest[:size]

    def bell(self) -> float:
        """Return a number from -1 to 1, most often near 0."""
        return (self.random() + self.random() + self.random()) * 2 / 3 - 1


def identifier(*parts: str | int, size: int = 40) -> str:
    """Return letters and digits, 43 at most, that look like a `uuid` of Canvas and follow from the parts."""
    digest = sha256("/".join(map(str, parts)).encode()).digest()
    return b64encode(digest).translate(_LETTERS_ONLY)[:size].decode()

"""The pieces that encoders put together: Avro values as text in which every character is one byte (latin-1).

Tables for what is frequent, functions for everything. A table that lacks an entry raises LookupError.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

__all__ = ["EPOCH", "FIRST_TIME", "LAST_TIME", "encoder_names", "long"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The first and last millisecond that datetime, and with it every Python consumer, knows.
FIRST_TIME, LAST_TIME = -62_135_596_800_000, 253_402_300_799_999

_NULL, _SOME = "\0", "\2"  # which branch of the union ["null", T] follows
_DOUBLE = struct.Struct("<d").pack
_CARRY = 1 << 28  # four bytes of seven bits
_DAY = 86_400_000 * 2  # zigzag doubles what is not negative, so times are counted in half milliseconds
_LAST_DAY = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH).days
_CACHED = 8192  # entries of a table that fills up as values come: some 100 bytes each


def long(value: int) -> str:
    """A long: zigzag, then seven bits a byte, the lowest first, each but the last with the top bit set."""
    return _varint(value << 1 if value >= 0 else ~(value << 1))


def _varint(number: int) -> str:
    characters = []
    while number > 0x7F:
        characters.append(chr(number & 0x7F | 0x80))
        number >>= 7
    return "".join(characters) + chr(number)


def _double(value: float) -> str:
    """A double: eight bytes, the lowest first."""
    return _DOUBLE(value).decode("latin-1")


def _text_function(lengths: Sequence[str]) -> Callable[[str], str]:
    def text(value: str) -> str:
        """A string: the length of its UTF-8, and that."""
        if not value.isascii():
            value = value.encode().decode("latin-1")
        size = len(value)
        return (lengths[size] if size < len(lengths) else long(size)) + value

    return text


class _Doubles(dict[float, str]):
    """Doubles by value, filled as they come: scores are few. Not for zero, as 0.0 and -0.0 are one key."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, value: float) -> str:
        piece = self._prefix + _double(value)
        if len(self) < _CACHED:
            self[value] = piece
        return piece


class _Days(dict[int, tuple[int, str, str]]):
    """By day since 1970: what of its first half millisecond is below 2**28, and the bytes for the rest.

    A time within the day adds less than 2**28, so it may carry over once: the last item is the rest in that
    case. With the day looked up, a time costs no arithmetic on numbers above 2**30, which Python is slow at.
    Days before 1970-01-03 make fewer bytes, days after 9999 are refused: neither is in the table.
    """

    def __missing__(self, day: int) -> tuple[int, str, str]:
        rest, low = divmod(day * _DAY, _CARRY)
        if rest < 1 or day > _LAST_DAY:
            raise KeyError(day)
        entry = (low, _varint(rest), _varint(rest + 1))
        if len(self) < _CACHED:
            self[day] = entry
        return entry


class _Times(dict[int, str]):
    """Milliseconds since 1970 as they are written, kept for a while: rows tell a time in several places."""

    def __init__(self, low: Sequence[str]) -> None:
        super().__init__()
        self._low = low
        self._days = _Days()

    def __missing__(self, milliseconds: int) -> str:
        day, rest = divmod(milliseconds, _DAY // 2)
        try:
            low, high, next_high = self._days[day]
        except KeyError:
            piece = long(milliseconds)
        else:
            low += rest * 2
            end = high if low < _CARRY else next_high
            piece = f"{self._low[low & 0x3FFF]}{self._low[low >> 14 & 0x3FFF]}{end}"
        if len(self) >= _CACHED:
            self.clear()
        self[milliseconds] = piece
        return piece


@cache
def _tables() -> Mapping[str, Any]:
    lengths = [long(number) for number in range(1 << 13)]
    low = [chr(number & 0x7F | 0x80) + chr(number >> 7 | 0x80) for number in range(1 << 14)]
    return {
        "NULL": _NULL,
        "SOME": _SOME,
        "EMPTY": "",
        "EPOCH": EPOCH,
        "CARRY": _CARRY,
        "BOOLEAN": {False: "\0", True: "\1"},
        "LENGTH": lengths,
        "SOME_LENGTH": [_SOME + piece for piece in lengths],
        "LONG": {number: long(number) for number in range(-128, 1024)},
        "LOW": low,
        "SOME_LOW": [_SOME + piece for piece in low],
        "TIME": _Times(low),
        "MIDDLE": low * 2,  # its index has one bit more, the carry, which does not count here
        "double": _double,
        "join": "".join,
        "long": long,
        "text": _text_function(lengths),
    }


def encoder_names() -> dict[str, Any]:
    """Names that a generated encoder uses. The tables that fill up are its own, the others are shared."""
    return {**_tables(), "DAY": _Days(), "DOUBLE": _Doubles(""), "SOME_DOUBLE": _Doubles(_SOME)}

"""JSON as Canvas and those who pass it on write it, into plain Python values.

Beyond JSON itself, `NaN` is read as null, and `Infinity` and a number that is too large for a double as
OUT_OF_RANGE, so that whoever knows the field can say where it is.
"""

import math
import re
from typing import Any, Final

import msgspec

from app.events.errors import ErrorKind, EventRefused

__all__ = ["OUT_OF_RANGE", "parse_json"]


class _OutOfRange:
    """Stands for a number that no double can hold."""


OUT_OF_RANGE: Final = _OutOfRange()

# Strings are matched in order to be left alone; up to the end when unterminated, so that time stays linear.
_STRING_OR_NAME = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|-?Infinity|NaN', re.DOTALL)


def _number(literal: str) -> Any:
    number = float(literal)
    return number if math.isfinite(number) else OUT_OF_RANGE


_DECODER = msgspec.json.Decoder()
_PATIENT_DECODER = msgspec.json.Decoder(float_hook=_number)


def parse_json(raw: bytes) -> Any:
    """The value of one JSON text.

    Raises EventRefused: not-utf8, not-json (as are nesting that is too deep and escapes that stand for no
    character), or out-of-range for an integer of thousands of digits.
    """
    try:
        return _DECODER.decode(raw)
    except RecursionError:
        raise EventRefused(ErrorKind.NOT_JSON) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _parse_patiently(raw, number=isinstance(error, msgspec.ValidationError))


def _parse_patiently(raw: bytes, *, number: bool) -> Any:
    """Parse once more what msgspec refused, because of a number or for another reason."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        # Without the cause: its message has bytes of the event.
        raise EventRefused(ErrorKind.NOT_UTF8) from None
    if not number and b"NaN" not in raw and b"Infinity" not in raw:
        raise EventRefused(ErrorKind.NOT_JSON)
    try:
        return _PATIENT_DECODER.decode(_STRING_OR_NAME.sub(_without_names, raw))
    except msgspec.ValidationError:
        raise EventRefused(ErrorKind.OUT_OF_RANGE) from None
    except (msgspec.DecodeError, RecursionError):
        raise EventRefused(ErrorKind.NOT_JSON) from None


def _without_names(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if token == b"NaN":
        return b"null"
    if token.startswith(b'"'):
        return token
    # Blanks, so that it does not become a part of a number: 1Infinity is none.
    return b" 1e999 "

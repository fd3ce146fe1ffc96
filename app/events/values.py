"""JSON values that are not null into values of one Avro type, or EventRefused with the place."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from app.events.errors import ErrorKind, EventRefused
from app.events.parse import OUT_OF_RANGE
from app.events.times import parse_time
from app.schemas.models import LONG_MAX, LONG_MIN
from app.schemas.shape import Kind

__all__ = ["SCALARS", "id_text", "is_id"]

_ID = re.compile(r"(?:.*_)?ids?")


def is_id(name: str) -> bool:
    """Whether a field holds an id: Canvas writes some as integers, at some times."""
    return _ID.fullmatch(name) is not None


def _text(item: Any, where: str) -> str:
    if type(item) is str:
        return item
    raise EventRefused(ErrorKind.WRONG_TYPE, where)


def id_text(item: Any, where: str) -> str:
    """An id: text, or an integer."""
    if type(item) is int:
        try:
            return str(item)
        except ValueError:  # thousands of digits
            raise EventRefused(ErrorKind.OUT_OF_RANGE, where) from None
    return _text(item, where)


def _long(item: Any, where: str) -> int:
    kind = type(item)
    if kind is int or (kind is float and item.is_integer()):
        if LONG_MIN <= item <= LONG_MAX:
            return int(item)
        raise EventRefused(ErrorKind.OUT_OF_RANGE, where)
    raise EventRefused(_no_number(item), where)


def _double(item: Any, where: str) -> float:
    if type(item) is float:
        return item
    if type(item) is int:
        try:
            return float(item)
        except OverflowError:
            raise EventRefused(ErrorKind.OUT_OF_RANGE, where) from None
    raise EventRefused(_no_number(item), where)


def _no_number(item: Any) -> ErrorKind:
    return ErrorKind.OUT_OF_RANGE if item is OUT_OF_RANGE else ErrorKind.WRONG_TYPE


def _boolean(item: Any, where: str) -> bool:
    if type(item) is bool:
        return item
    raise EventRefused(ErrorKind.WRONG_TYPE, where)


def _timestamp(item: Any, where: str) -> datetime:
    try:
        return parse_time(_text(item, where))
    except ValueError:
        raise EventRefused(ErrorKind.INVALID_TIME, where) from None


SCALARS: Final[Mapping[Kind, Callable[[Any, str], Any]]] = {
    Kind.STRING: _text,
    Kind.LONG: _long,
    Kind.DOUBLE: _double,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _timestamp,
}

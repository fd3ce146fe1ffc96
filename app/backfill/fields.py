"""Fields of a row as exports write them: CSV has text alone, Parquet types, JSON something between.

Ids are text, of whatever they were (`565`, `565.0` as spreadsheets and data frames make of ids beside empty
ones); times milliseconds since 1970. Null are None, a missing field, and what Canvas Data 2 writes for values
that it has no name for.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from app.backfill.errors import Problem, RowRefused
from app.events.times import parse_time

__all__ = ["Fields"]

_UNSPECIFIED: Final = "__dap_unspecified__"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE: Final = re.compile(r"(-?\d{1,19})(?:\.0*)?", re.ASCII)
_BOOLEANS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


class Fields:
    """A row whose fields are asked for by type. Every method returns None for null.

    Raises RowRefused: wrong-type, invalid-time, and missing-field where the field is `required`.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def get(self, name: str) -> Any:
        """The value as it is."""
        value = self.values.get(name)
        return None if value == _UNSPECIFIED else value

    def required(self, name: str) -> str:
        """Text or an id that must be there."""
        value = self.identifier(name)
        if not value:
            raise RowRefused(Problem.MISSING_FIELD, name)
        return value

    def text(self, name: str) -> str | None:
        """Text as it is."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value
        raise RowRefused(Problem.WRONG_TYPE, name)

    def identifier(self, name: str) -> str | None:
        """An id; an empty one is none."""
        value = self.get(name)
        if isinstance(value, str):
            whole = _WHOLE.fullmatch(value.strip())
            return (whole[1] if whole else value.strip()) or None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        raise RowRefused(Problem.WRONG_TYPE, name)

    def number(self, name: str) -> float | None:
        """A finite number; NaN is null."""
        value = self.get(name)
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = float(value)
            except ValueError:
                raise RowRefused(Problem.WRONG_TYPE, name) from None
        if value is None:
            return None
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise RowRefused(Problem.WRONG_TYPE, name)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise RowRefused(Problem.WRONG_TYPE, name)
        return None if math.isnan(number) else number

    def integer(self, name: str) -> int | None:
        """A whole number, `65` or `65.0`."""
        number = self.number(name)
        if number is None:
            return None
        if not number.is_integer():
            raise RowRefused(Problem.WRONG_TYPE, name)
        return int(number)

    def boolean(self, name: str) -> bool | None:
        """True or false, however it is written."""
        value = self.get(name)
        if value is None or value == "" or isinstance(value, bool):
            return value if isinstance(value, bool) else None
        found = _BOOLEANS.get(str(value).strip().lower())
        if found is None:
            raise RowRefused(Problem.WRONG_TYPE, name)
        return found

    def time(self, name: str) -> int | None:
        """Milliseconds since 1970; a time without an offset is UTC. What is less than one is cut off."""
        value = self.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                value = parse_time(value)
            except ValueError:
                raise RowRefused(Problem.INVALID_TIME, name) from None
        if not isinstance(value, datetime):
            raise RowRefused(Problem.INVALID_TIME, name)
        since = (value if value.tzinfo is not None else value.replace(tzinfo=UTC)) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000

    def json(self, name: str) -> Any:
        """An object or array, or the text of one."""
        value = self.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise RowRefused(Problem.WRONG_TYPE, name) from None

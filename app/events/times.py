"""Times of ISO 8601 that msgspec, which knows RFC 3339 alone, does not take."""

import re
from datetime import UTC, datetime

import msgspec

__all__ = ["parse_time"]

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ]"
    r"(?P<minutes>\d\d:\d\d)(?P<seconds>:\d\d)?(?:[.,](?P<fraction>\d+))?"
    r"(?: ?(?:[Zz]|UTC|(?P<hours>[+-]\d\d)(?::?(?P<rest>\d\d))?))?",
    re.ASCII,
)


def parse_time(text: str) -> datetime:
    """An aware datetime.

    Besides RFC 3339: a comma before the fraction, no seconds, an offset of hours alone, a blank before the
    offset, `UTC` for it (as Ruby writes a time). A time without an offset is UTC: Canvas always sends one, so
    another system dropped it, and those do so with UTC. Raises ValueError, whose message may hold the text.
    """
    try:
        return _aware(msgspec.convert(text, datetime))
    except msgspec.ValidationError:
        pass
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("no time of ISO 8601")
    fraction = f".{match['fraction']}" if match["fraction"] else ""
    offset = f"{match['hours']}:{match['rest'] or '00'}" if match["hours"] else "Z"
    try:
        return msgspec.convert(
            f"{match['date']}T{match['minutes']}{match['seconds'] or ':00'}{fraction}{offset}", datetime
        )
    except msgspec.ValidationError as error:
        raise ValueError("no such time") from error


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)

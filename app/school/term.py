"""Time in the school: milliseconds since the epoch, a term of school days, and how times are written."""

from datetime import UTC, date, datetime, timedelta

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Term", "utc_text", "zoned_text"]

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = date(1970, 1, 1)
# School hours by UTC: the school lies in America.
_MORNING = 14 * HOUR
_OPEN = 9 * HOUR
_SCHOOL_DAYS = 5
_SATURDAY = 5

# Looked up, as writing numbers is what takes the time: an event has six times, and there are millions.
_MINUTES = [f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in range(60)]
_SECONDS = [f":{second:02d}" for second in range(60)]
_dates: dict[int, str] = {}


class Term:
    """The school days, Mondays to Fridays, that begin with `start`; `days` counts those of the calendar."""

    def __init__(self, start: date, days: int) -> None:
        # The next Monday: whole weeks make the sums below simple.
        self._monday = start + timedelta(days=-start.weekday() % 7)
        self._school_days = max(1, days * _SCHOOL_DAYS // 7)

    def at(self, progress: float) -> int:
        """Return the time when this share of the term's work is done; goes on beyond 1."""
        whole = progress * self._school_days
        day = int(whole)
        weeks, weekday = divmod(day, _SCHOOL_DAYS)
        midnight = ((self._monday - _EPOCH).days + weeks * 7 + weekday) * DAY
        return midnight + _MORNING + int((whole - day) * _OPEN)


def utc_text(time: int) -> str:
    """Write a time as Canvas does: RFC 3339 in UTC, with milliseconds unless they are 0."""
    day, rest = divmod(time, DAY)
    minute, rest = divmod(rest, MINUTE)
    seconds, milliseconds = divmod(rest, SECOND)
    text = _dates.get(day) or _remember(day)
    if milliseconds:
        return f"{text}{_MINUTES[minute]}{_SECONDS[seconds]}.{milliseconds:03d}Z"
    return f"{text}{_MINUTES[minute]}{_SECONDS[seconds]}Z"


def zoned_text(time: int, offset: int) -> str:
    """Write the same time by a clock that is `offset` minutes ahead of UTC, such as -360: `...-06:00`."""
    hours, minutes = divmod(abs(offset), 60)
    sign = "-" if offset < 0 else "+"
    return f"{utc_text(time + offset * MINUTE)[:-1]}{sign}{hours:02d}:{minutes:02d}"


def _remember(day: int) -> str:
    """A term has few days; the text of each is made once."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return _dates.setdefault(day, f"{moment:%Y-%m-%d}T")

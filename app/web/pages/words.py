"""Numbers, times and names as a person reads them. Words are Canvas's."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

__all__ = [
    "CANVAS_LEVELS",
    "NOTHING",
    "NO_EVIDENCE",
    "ago",
    "breakable",
    "byte_count",
    "count",
    "date_time",
    "day",
    "duration",
    "full_time",
    "iso_time",
    "level_step",
    "method_words",
    "number",
    "percent",
    "rate",
    "sentence",
    "short_id",
    "threshold",
]

#: Shown where there is no score: never 0, which is a score.
NO_EVIDENCE: Final = "No evidence"

#: Stands for a number that there is not.
NOTHING: Final = "\N{EN DASH}"

#: Names of Canvas's own levels, the lowest first: the place is the step of the colours.
CANVAS_LEVELS: Final = ("Well Below Mastery", "Below Mastery", "Near Mastery", "Mastery", "Exceeds Mastery")

_METHODS: Final[Mapping[str, str]] = {
    "highest": "Highest Score",
    "latest": "Most Recent Score",
    "average": "Average",
    "n_mastery": "n Number of Times",
    "decaying_average": "Weighted Average",
    "weighted_average": "Weighted Average",
    "standard_decaying_average": "Decaying Average",
}


def method_words(method: str | None, n: int | None = None, *, new_names: bool = True) -> str:
    """Name of a method as Canvas's pages have it, with its number.

    `new_names`: whether the root account has the feature flag `outcomes_new_decaying_average_calculation`;
    without it, Canvas calls the older formula Decaying Average.
    """
    if method is None:
        return "unknown method"
    name = _METHODS.get(method, method)
    if method in {"decaying_average", "weighted_average"} and not new_names:
        name = "Decaying Average"
    if n is None:
        return name
    if method == "n_mastery":
        return f"{n} Number of Times"
    return f"{name} ({n}/{100 - n})" if "average" in method else name


def number(value: float | None, places: int = 2) -> str:
    """A number to at most so many places, without needless zeros; a dash for none."""
    if value is None:
        return NOTHING
    return f"{value:.{places}f}".rstrip("0").rstrip(".") if math.isfinite(value) else str(value)


def count(value: int | None) -> str:
    """A count with separators between thousands; a dash for none."""
    return NOTHING if value is None else f"{value:,}"


def percent(part: float | None, whole: float | None = 1) -> str:
    """`part` of `whole` as a percentage; a dash where there is none of either."""
    if part is None or not whole:
        return NOTHING
    share = 100 * part / whole
    return f"{share:.0f} %" if share == 0 or 1 <= share <= 99 or share >= 100 else f"{share:.1f} %"


def rate(per_second: float) -> str:
    """A rate in the unit in which it is a handy number."""
    if per_second <= 0:
        return "0/s"
    if per_second >= 1:
        return f"{per_second:,.0f}/s" if per_second >= 10 else f"{number(per_second, 1)}/s"
    return f"{per_second * 60:.0f}/min" if per_second * 60 >= 1 else "< 1/min"


def sentence(text: str) -> str:
    """With a capital at its beginning, as messages of errors have none."""
    return text[:1].upper() + text[1:]


def threshold(mastery_points: float | None, points_possible: float | None) -> str:
    """What stands beside a score: 'mastery at 3 of 5'."""
    if mastery_points is None:
        return "scale unknown"
    of = "" if points_possible is None else f" of {number(points_possible)}"
    return f"mastery at {number(mastery_points)}{of}"


def level_step(rating: str | None, mastery: bool | None) -> int | None:  # noqa: FBT001 # a value of the answer
    """Step of the colours, 0 to 4; None without a score. The scale's own names have two: 3 mastery, 1 not."""
    # Schools write them in small letters, too.
    names = [name.lower() for name in CANVAS_LEVELS]
    if rating is not None and rating.lower() in names:
        return names.index(rating.lower())
    if mastery is None:
        return None
    return 3 if mastery else 1


def short_id(value: str, most: int = 12) -> str:
    """The beginning of a long id."""
    return value if len(value) <= most else f"{value[: most - 4]}…"


def breakable(name: str) -> Markup:
    """A long name that may be broken behind its underscores and dots."""
    return Markup(str(escape(name)).replace("_", "_<wbr>").replace(".", ".<wbr>"))  # noqa: S704 - escaped


def iso_time(seconds: float) -> str:
    """For machines."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def full_time(seconds: float) -> str:
    """To the second, with the zone."""
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %b %Y, %H:%M:%S} UTC"


def date_time(seconds: float) -> str:
    """Day and time, UTC, to the minute."""
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %b %Y, %H:%M}"


def day(seconds: float) -> str:
    """The day alone, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %b %Y}"


def ago(seconds: float, now: float) -> str:
    """How long before `now`; what lies a little ahead, as clocks differ, is now."""
    past = now - seconds
    if past < 1.5:
        return "just now" if past > -90 else f"in {duration(-past)}"
    return f"{past:.0f} s ago" if past < 10 else f"{duration(past)} ago"


def duration(seconds: float) -> str:
    """A stretch of time in its largest unit."""
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length or (unit != "d" and seconds >= length):
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{number(seconds, 1)} s"


def byte_count(size: float | None) -> str:
    """A size in bytes, kB or MB."""
    if size is None:
        return NOTHING
    for length, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size:.0f} bytes"

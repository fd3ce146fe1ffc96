"""The geometry of pictures, in per cent of their width and height, so that text in them is never scaled."""

import bisect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.web.models.stream import DeadLetterCount
from app.web.pages.words import date_time, number

__all__ = ["Bar", "ScoreChart", "TimeChart", "score_chart", "time_chart"]

#: Bars at most: on a phone each still has room for its number.
_MOST: Final = 13
_FEWEST: Final = 5
#: Per cent of the width that a text below a bar takes.
_ROOM: Final = 6.0
_NEARLY: Final = 1e-6
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_HOURS: Final = 36
_DAYS: Final = 31
#: Height of a bar that would be too low to be seen.
_LOWEST: Final = 1.5


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: `left` and `width` of the picture's width, `height` of its height, all per cent."""

    left: float
    width: float
    height: float
    count: int
    name: str
    """What it counts, in words."""
    mastered: bool = False


@dataclass(frozen=True, slots=True)
class ScoreChart:
    """How many students have which score. `ticks` are places and texts below the bars."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    low: float
    high: float

    def place(self, score: float) -> float:
        """Where a score stands, per cent of the width."""
        return 100 * (min(max(score, self.low), self.high) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class TimeChart:
    """How many came when. `unit` is hour or day; `earlier` came before the first bar."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    unit: str
    most: int
    earlier: int


def score_chart(
    score_counts: Mapping[str, int], mastery_points: float | None, points_possible: float | None
) -> ScoreChart | None:
    """Group scores into bars; one begins at the score of mastery. None without scores."""
    scores = {float(score): count for score, count in score_counts.items() if count}
    if not scores or not all(map(math.isfinite, scores)):
        return None
    low, high = min(0.0, *scores), max(points_possible or 0.0, mastery_points or 0.0, *scores, 0.01)
    edges = _edges(low, high, mastery_points)
    # The last bar has the top of the scale, too.
    places = {score: min(bisect.bisect_right(edges, score), len(edges) - 1) - 1 for score in scores}
    counts = [0] * (len(edges) - 1)
    for score, count in scores.items():
        counts[places[score]] += count
    low, high = edges[0], edges[-1]
    most = max(counts)
    bars = tuple(
        Bar(
            left=100 * (start - low) / (high - low),
            width=100 * (end - start) / (high - low),
            height=_height(count, most),
            count=count,
            name=f"{number(start)} to {number(end)}",
            mastered=mastery_points is not None and start >= mastery_points,
        )
        for (start, end), count in zip(pairwise(edges), counts, strict=True)
    )
    ticks = [(100 * (edge - low) / (high - low), number(edge)) for edge in edges]
    # The ends of the scale are told, and what stands too close to them is not.
    inner = [tick for tick in ticks[1:-1] if _ROOM <= tick[0] <= 100 - _ROOM]
    return ScoreChart(bars, (ticks[0], *inner, ticks[-1]), low, high)


def time_chart(counts: Iterable[DeadLetterCount], now: float, kind: str | None = None) -> TimeChart | None:
    """One bar for each of the last hours, or days where they go back further. None without counts."""
    wanted = [one for one in counts if kind in (None, one.kind)]
    if not wanted:
        return None
    newest = max(now, *(one.hour for one in wanted))
    recent = all(newest - one.hour < _HOURS * _HOUR for one in wanted)
    length, number_of = (_HOUR, _HOURS) if recent else (_DAY, _DAYS)
    last = newest // length * length
    starts = [last - (number_of - 1 - place) * length for place in range(number_of)]
    sums = dict.fromkeys(starts, 0)
    earlier = 0
    for one in wanted:
        start = one.hour // length * length
        if start in sums:
            sums[start] += one.count
        else:
            earlier += one.count
    most = max(*sums.values(), 1)
    width = 100 / number_of
    bars = tuple(
        Bar(place * width, width, _height(count, most), count, _time_name(start, recent=recent))
        for place, (start, count) in enumerate(sums.items())
    )
    return TimeChart(
        bars, _time_ticks(starts, width, recent=recent), "hour" if recent else "day", most, earlier
    )


def _edges(low: float, high: float, mastery: float | None) -> list[float]:
    """Where bars begin, and where the last one ends: one begins at mastery, the others at handy steps."""
    meeting = 0.0 if mastery is None else mastery
    span = high - low
    steps = [step * size for size in _sizes(span) for step in _STEPS if step * size * (_MOST - 1) >= span]
    # Best is a step that mastery is a multiple of, unless it leaves only a few bars.
    even = [step for step in steps if _is_multiple(meeting, step) and step * _FEWEST <= span]
    step = even[0] if even else steps[0]
    first, last = math.floor(round((low - meeting) / step, 6)), math.ceil(round((high - meeting) / step, 6))
    edges = [low, *(meeting + each * step for each in range(first + 1, last)), high]
    if mastery == high:
        # Who masters it has a bar, too.
        edges.append(high + step)
    return edges


def _sizes(span: float) -> Iterator[float]:
    """Powers of ten, one of which has fitting steps."""
    size = 1.0
    yield size
    while size * _STEPS[-1] * (_MOST - 1) < span:
        size *= 10
        yield size


def _is_multiple(value: float, step: float) -> bool:
    return abs(value / step - round(value / step)) < _NEARLY


def _height(count: int, most: int) -> float:
    return max(100 * count / most, _LOWEST) if count else 0.0


def _time_name(start: float, *, recent: bool) -> str:
    text = date_time(start)
    return text if recent else text.rpartition(",")[0]


def _time_ticks(starts: Sequence[float], width: float, *, recent: bool) -> tuple[tuple[float, str], ...]:
    """Four of them: more do not fit on a phone."""
    every = len(starts) // 4
    places = range(every // 2, len(starts), every)
    return tuple(((place + 0.5) * width, _tick(starts[place], recent=recent)) for place in places)


def _tick(start: float, *, recent: bool) -> str:
    """The time of an hour; day and month."""
    return date_time(start).rpartition(" ")[2] if recent else _time_name(start, recent=False)[:-5]

"""Plots as SVG, by hand: bars with their spread, and lines. The same figures give the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

__all__ = ["Bar", "Line", "bars", "flame", "lines"]

_STYLE = "font-family:system-ui,sans-serif;font-size:13px;fill:#1f2933"
_OURS, _OTHERS = "#0b6e99", "#9fb3c8"
_COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce")
_ROW, _LEFT, _WIDTH = 26, 250, 760


@dataclass(frozen=True)
class Bar:
    """A figure with its spread: the bar is as long as `middle`, a line goes from `low` to `high`."""

    label: str
    low: float
    middle: float
    high: float
    ours: bool = False


@dataclass(frozen=True)
class Line:
    """Points (x, y), x ascending."""

    label: str
    points: Sequence[tuple[float, float]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _page(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" style="{_STYLE}">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, *parts, "</svg>", ""])


def bars(title: str, charts: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Charts of bars one below the other, each with a heading."""
    parts: list[str] = []
    y = 8
    for heading, chart in charts:
        y += 22
        parts.append(_text(12, y, heading, more=' font-weight="600"'))
        most = max((bar.high for bar in chart), default=1.0) or 1.0
        scale = (_WIDTH - _LEFT - 90) / most
        for bar in chart:
            y += _ROW
            long, low, high = (value * scale for value in (bar.middle, bar.low, bar.high))
            colour = _OURS if bar.ours else _OTHERS
            parts.append(_text(_LEFT - 8, y, bar.label, "end"))
            parts.append(
                f'<rect x="{_LEFT}" y="{y - 13}" width="{long:.1f}" height="17" rx="2" fill="{colour}"/>'
            )
            if bar.high > bar.low:
                ends = f'x1="{_LEFT + low:.1f}" x2="{_LEFT + high:.1f}" y1="{y - 4.5}" y2="{y - 4.5}"'
                parts.append(f'<line {ends} stroke="#1f2933" stroke-width="1.5"/>')
            parts.append(_text(_LEFT + max(long, high) + 6, y, _number(bar.middle)))
        y += 10
    return _page(_WIDTH, y + 12, title, parts)


def _step(most: float) -> float:
    """Between marks of an axis, so that there are three to six."""
    about = (most or 1.0) / 4
    size = 10.0 ** floor(log10(about))
    return next(size * times for times in (1, 2, 2.5, 5, 10) if size * times >= about)


def lines(
    title: str, panels: Sequence[tuple[str, str, Sequence[Line]]], *, width: int = 380, log_y: bool = False
) -> str:
    """Panels side by side, each (heading, name of x, lines); x is logarithmic."""
    height, left, bottom, top = 260, 58, 44, 40
    parts: list[str] = []
    for number, (heading, x_name, some) in enumerate(panels):
        at = number * width
        xs = [x for line in some for x, _ in line.points] or [1.0, 10.0]
        ys = [y for line in some for _, y in line.points] or [1.0]
        low_x, high_x = log10(min(xs)), log10(max(xs)) or 1.0
        span_x = (high_x - low_x) or 1.0
        low_y = floor(log10(min(ys))) if log_y else 0.0
        step = _step(max(ys))
        high_y = ceil(log10(max(ys))) if log_y else step * ceil(max(ys) * 1.05 / step)
        span_y = (high_y - low_y) or 1.0

        def place(
            x: float, y: float, at: float = at, ends: tuple[float, ...] = (low_x, span_x, low_y, span_y)
        ) -> tuple[float, float]:
            across = (log10(x) - ends[0]) / ends[1]
            up = ((log10(y) if log_y else y) - ends[2]) / ends[3]
            return at + left + across * (width - left - 24), height - bottom - up * (height - bottom - top)

        parts.append(_text(at + 12, 22, heading, more=' font-weight="600"'))
        if log_y:
            marks = [10.0**n for n in range(int(low_y), int(high_y) + 1)]
        else:
            marks = [step * n for n in range(round(high_y / step) + 1)]
        for mark in marks:
            _, y = place(min(xs), mark)
            ends = f'x1="{at + left}" x2="{at + width - 24}" y1="{y:.1f}" y2="{y:.1f}"'
            parts.append(f'<line {ends} stroke="#e4e7eb"/>')
            parts.append(_text(at + left - 6, y + 4, _number(mark), "end"))
        for x in sorted(set(xs)):
            across, y = place(x, marks[0])
            parts.append(_text(across, y + 18, _number(x), "middle"))
        parts.append(_text(at + left + (width - left - 24) / 2, height - 8, x_name, "middle"))
        for count, line in enumerate(some):
            colour = _COLOURS[count % len(_COLOURS)]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line.points))
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            for x, y in (place(*point) for point in line.points):
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            parts.append(
                _text(at + left + 6, top + 12 + 16 * count, line.label, more=f' style="fill:{colour}"')
            )
    return _page(width * len(panels), height, title, parts)


def flame(title: str, stacks: Mapping[str, int], *, width: int = 1100, least: float = 0.004) -> str:
    """A flame graph, outermost functions at the top: stacks of "outer;inner" and how often each was seen.

    Functions below the share `least` of all samples are left out; a name shows on its rectangle's title.
    """
    total = sum(stacks.values()) or 1
    parts: list[str] = []
    deepest = 0

    def draw(some: Mapping[str, int], left: float, depth: int) -> None:
        nonlocal deepest
        below: dict[str, dict[str, int]] = {}
        for stack, count in some.items():
            first, _, rest = stack.partition(";")
            inner = below.setdefault(first, {})
            inner[rest] = inner.get(rest, 0) + count
        for name, inner in sorted(below.items()):
            count = sum(inner.values())
            wide = count / total * width
            if count / total >= least:
                deepest = max(deepest, depth)
                parts.append(_flame(name, left, depth, wide, count / total))
                draw({stack: seen for stack, seen in inner.items() if stack}, left, depth + 1)
            left += wide

    draw(stacks, 0.0, 0)
    return _page(width, 40 + (deepest + 1) * _FLAME, title, [_text(8, 20, title), *parts])


_FLAME = 17


def _flame(name: str, left: float, depth: int, wide: float, share: float) -> str:
    y = 30 + depth * _FLAME
    function, _, path = name.partition(" (")
    colour = _FLAMES[next((n for n, mark in enumerate(_MARKS) if mark in path), len(_MARKS))]
    shown = function[: max(0, int(wide / 6.2) - 1)] if wide > 24 else ""
    text = (
        f'<text x="{left + 3:.1f}" y="{y + 12}" style="font-size:10.5px">{escape(shown)}</text>'
        if shown
        else ""
    )
    wide = max(wide - 0.5, 0.3)
    box = f'<rect x="{left:.1f}" y="{y}" width="{wide:.1f}" height="{_FLAME - 1}" fill="{colour}"/>'
    return f"<g><title>{escape(name)}: {share:.1%}</title>{box}{text}</g>"


#: This project's own functions, those of the packages that it uses, Python's.
_MARKS = ("app/", "aiokafka/", "faust/", "mode/")
_FLAMES = ("#8ecae6", "#ffd166", "#ffb4a2", "#ffb4a2", "#dde5b6")

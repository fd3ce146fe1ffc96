"""Colours that Canvas's proficiency scales give their levels, and what can be read on them."""

import re
from typing import Final

__all__ = ["MARKS", "colour", "ink", "mark"]

_RGB: Final = re.compile(r"#?([0-9A-Fa-f]{6})")

#: A mark for each step of the colours, so that none needs to be told by colour; the lowest first.
MARKS: Final = ("▽", "○", "◐", "●", "▲")


def mark(level: int | None) -> str:
    """The mark of a step; nothing where there is none."""
    return MARKS[level] if level is not None and 0 <= level < len(MARKS) else ""


def colour(text: str | None) -> str | None:
    """A colour as SVG takes it; None for what is none."""
    found = None if text is None else _RGB.fullmatch(text)
    return None if found is None else f"#{found[1].lower()}"


def ink(background: str) -> str:
    """`dark` or `light`: which text can be read on this colour (WCAG 2.2: contrast is 4.5 at least)."""
    red, green, blue = (_linear(int(background[at : at + 2], 16) / 255) for at in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    # Black and white have the same contrast where (luminance + 0.05)^2 = 1.05 * 0.05.
    return "dark" if luminance > 0.179 else "light"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)

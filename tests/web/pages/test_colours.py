"""Colours can be told apart, by the colour-blind too, and read."""

import re
from importlib.resources import files
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.pages.colours import MARKS, colour, ink, mark

STYLE = (files("app.web.pages") / "static" / "style.css").read_text()

#: In linear RGB. Source: Machado, Oliveira, Fernandes 2009, severity 1.
SIGHT = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.01182, 0.04294, 0.968881),
    ),
}


def linear(text):
    channels = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(text):
    return sum(share * channel for share, channel in zip((0.2126, 0.7152, 0.0722), linear(text), strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(text, sight):
    seen = [
        min(max(sum(weight * channel for weight, channel in zip(row, linear(text), strict=True)), 0), 1)
        for row in SIGHT[sight]
    ]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(weight * channel for weight, channel in zip(row, seen, strict=True)) for row in to_xyz]
    x, y, z = (
        (part / white) ** (1 / 3) if part / white > 0.008856 else 7.787 * part / white + 16 / 116
        for part, white in zip(xyz, (0.9505, 1, 1.089), strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def token(name, *, dark):
    value = re.search(rf"--{name}: ([^;]+);", STYLE)[1]
    shades = re.findall(r"#[0-9a-f]{6}", value)
    return shades[-1] if dark else shades[0]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("sight", SIGHT)
def test_steps_of_the_heat_map_can_be_told_apart(sight, dark):
    steps = [lab(token(f"level-{step}", dark=dark), sight) for step in range(5)]
    for one, other in combinations(range(5), 2):
        distance = sum((a - b) ** 2 for a, b in zip(steps[one], steps[other], strict=True)) ** 0.5
        assert distance > 20, (one, other)


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_can_be_read_on_each_step(dark):
    for step in range(5):
        shade, on_it = (token(f"level-{step}{end}", dark=dark) for end in ("", "-ink"))
        assert contrast(shade, on_it) >= 4.5, step


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_can_be_read_on_each_shade_of_a_share(dark):
    text = token("ink", dark=dark)
    for step in range(5):
        # Lighter shades lie between these two.
        for shade in (token(f"tally-{step}", dark=dark), token("surface", dark=dark)):
            assert contrast(shade, text) >= 4.5, step


@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
def test_numbers_can_be_read_on_any_colour_of_a_scale(shade):
    assert contrast(shade, {"dark": "#000000", "light": "#ffffff"}[ink(shade)]) >= 4.5


def test_what_is_no_colour_is_none():
    assert colour("0B874B") == colour("#0b874b") == "#0b874b"
    assert [colour(text) for text in (None, "", "red", "0B874", '0B874B" onload="x')] == [None] * 5


def test_each_step_has_a_mark_of_its_own():
    assert len(set(MARKS)) == 5
    assert [mark(level) for level in (None, -1, 0, 4, 5)] == ["", "", "▽", "▲", ""]

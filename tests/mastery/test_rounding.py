import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mastery.rounding import round_to_cents

# What Ruby 3.1.7 answers to `number.round(2)`; chosen from 885,000 numbers, all of which were tried once.
# Python's `round` differs for most of these, and decimal arithmetic for those that end in many nines.
RUBY = {
    4.125: 4.13,
    0.7949999999999999: 0.8,
    0.024999999999999998: 0.03,
    0.33499999999999996: 0.34,
    1.4649999999999999: 1.47,
    2.8049999999999997: 2.81,
    12.584999999999999: 12.59,
    0.004999999999999999: 0.0,
    0.005: 0.01,
    0.045: 0.05,
    0.145: 0.15,
    0.295: 0.3,
    1.005: 1.01,
    2.675: 2.68,
    2.715: 2.72,
    7.835: 7.84,
    8.345: 8.35,
    3.6475: 3.65,
    3.0: 3.0,
    0.0: 0.0,
    5e-324: 0.0,
    33969413721642.504: 33969413721642.51,
    960410651064138.0: 960410651064137.9,
    439862159203364.44: 439862159203364.4,
    1000000000000000.5: 1000000000000000.5,
    4503599627370496.5: 4503599627370496.5,
    2.0**59: 2.0**59,
    1e300: 1e300,
    1.7976931348623157e308: 1.7976931348623157e308,
}


@pytest.mark.parametrize(("number", "rounded"), RUBY.items())
def test_rounds_as_ruby_does(number, rounded):
    assert round_to_cents(number) == rounded
    assert round_to_cents(-number) == -rounded


@pytest.mark.parametrize("number", [-0.0, -0.001, -5e-324])
def test_zero_has_no_sign(number):
    assert math.copysign(1, round_to_cents(number)) == 1


@given(st.floats(-1e6, 1e6))
def test_stays_near_and_stays_put(number):
    rounded = round_to_cents(number)
    assert abs(rounded - number) < 0.005000001
    assert round_to_cents(rounded) == rounded
    assert round_to_cents(-number) == -rounded

"""Rounding as Canvas does it: Ruby's `Float#round(2)`."""

from math import floor
from typing import Final

__all__ = ["round_to_cents"]

# From here on Ruby takes a number for whole and gives it back as it is.
_WHOLE_FROM: Final = 2.0**59


def round_to_cents(number: float) -> float:
    """A number to two places, half away from zero; never -0.0.

    Ruby multiplies by 100 and rounds that, and corrects the result when it would be too small by the double
    that half a hundredth more comes to: 4.125 gives 4.13, and 0.7949999999999999 gives 0.8. Python's `round`
    gives 4.12, and decimal arithmetic 0.79.
    """
    if number < 0:
        return -round_to_cents(-number) + 0.0
    if not number < _WHOLE_FROM:
        return number
    hundredfold = number * 100
    # A float again: beyond 2**53 adding 1 to it must do what it does in Ruby, which may be nothing.
    cents = float(floor(hundredfold))
    if hundredfold - cents >= 0.5:
        cents += 1
    if (cents + 0.5) / 100 <= number:
        cents += 1
    return cents / 100

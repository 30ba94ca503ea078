"""Quantities with a unit, and the one place that turns a number into text.

Shares, points and counts are exact fractions, so that a limit of 0.5 points of 10,000 samples is
exactly 50 samples; times and ratios of times are floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import final

Number = int | float | Fraction


class Unit(StrEnum):
    """What a number counts; the value is how the unit is written in reports."""

    COUNT = "count"
    """A number of things; the limit is a plain number."""
    RATIO = "ratio"
    """A quotient of two like quantities; the limit is a plain number."""
    PERCENT = "%"
    """A share of a whole, held as 0 to 1."""
    POINTS = "points"
    """A difference of two shares, held as -1 to 1 (one point is 0.01)."""
    PER_THOUSAND = "per 1000"
    """A number for each thousand samples, held as 0 to 1."""
    BYTES = "B"
    """Bytes."""
    SECONDS = "s"
    """Seconds; written in milliseconds or microseconds where that reads better."""
    SCORE = "score"
    """A metric in its own unit; the limit is a plain number."""
    QUANTA = "quanta"
    """Steps of an output's quantization scale."""


@final
@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, such as a limit in a budget."""

    value: Number
    unit: Unit

    def __str__(self) -> str:
        return text(self.value, self.unit)


def _exact(number: Number) -> Fraction:
    return Fraction(str(number)) if isinstance(number, float) else Fraction(number)


def percent(share: Number) -> Quantity:
    """A share of a whole: ``percent(97.5)`` is 0.975."""
    return Quantity(_exact(share) / 100, Unit.PERCENT)


def points(difference: Number) -> Quantity:
    """A difference of two shares: ``points(0.5)`` is 0.005."""
    return Quantity(_exact(difference) / 100, Unit.POINTS)


def per_thousand(number: Number) -> Quantity:
    """A number for each thousand samples: ``per_thousand(5)`` is 0.005."""
    return Quantity(_exact(number) / 1000, Unit.PER_THOUSAND)


def kib(number: Number) -> Quantity:
    """Kibibytes: ``kib(25)`` is 25,600 bytes."""
    return Quantity(_exact(number) * 1024, Unit.BYTES)


def byte(number: int) -> Quantity:
    """Bytes."""
    return Quantity(Fraction(number), Unit.BYTES)


def ms(number: Number) -> Quantity:
    """Milliseconds."""
    return Quantity(float(number) / 1e3, Unit.SECONDS)


def us(number: Number) -> Quantity:
    """Microseconds."""
    return Quantity(float(number) / 1e6, Unit.SECONDS)


def quanta(number: Number) -> Quantity:
    """Steps of an output's quantization scale."""
    return Quantity(_exact(number), Unit.QUANTA)


_HUNDREDTHS = {Unit.PERCENT: (100, " %"), Unit.POINTS: (100, " points")}


def text(value: Number, unit: Unit, *, signed: bool = False) -> str:
    """Write a number with its unit, as short as it stays true.

    Shares and points have two decimals, or more where two would show a number that is not zero as
    zero. `signed` puts a plus before a number above zero.
    """
    sign = "+" if signed and value > 0 else ""
    return sign + _plain(value, unit)


def _plain(value: Number, unit: Unit) -> str:  # noqa: PLR0911 a unit, a way to write it
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if unit in _HUNDREDTHS:
        factor, suffix = _HUNDREDTHS[unit]
        return _decimals(float(value * factor), 2) + suffix
    if unit is Unit.PER_THOUSAND:
        return f"{_decimals(float(value * 1000), 1)} per 1000"
    if unit is Unit.BYTES:
        return f"{_grouped(value)} B"
    if unit is Unit.SECONDS:
        return _seconds(float(value))
    if unit is Unit.RATIO:
        return _decimals(float(value), 3)
    if unit is Unit.SCORE:
        return _significant(float(value))
    if unit is Unit.QUANTA:
        return f"{_grouped(value)} {'quantum' if abs(value) == 1 else 'quanta'}"
    return _grouped(value)


def _grouped(value: Number) -> str:
    whole = Fraction(value).denominator == 1
    return f"{int(value):,}" if whole else f"{float(value):,.1f}"


def _decimals(value: float, places: int) -> str:
    """Fixed decimals, with one significant digit kept for small numbers that are not zero."""
    if value and abs(value) < 0.5 * 10**-places:
        return f"{value:.1g}"
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no "-0.00"


def _significant(value: float) -> str:
    """Four significant digits: "0.9310", "2,871", "3.2e-05"."""
    if not value:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e9:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def _seconds(value: float) -> str:
    if abs(value) >= 1:
        return f"{value:.2f} s"
    if abs(value) >= 1e-3:
        return f"{value * 1e3:.2f} ms"
    return f"{value * 1e6:.1f} us"

"""Quantities with a unit, and the one place that turns a number into text.

Shares, points and counts are exact fractions, so that a limit of 0.5 points of 10,000 samples is
exactly 50 samples; times and ratios of times are floats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
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


_WRITTEN: Mapping[Unit, tuple[int, str]] = {
    Unit.COUNT: (1, ""),
    Unit.RATIO: (1, ""),
    Unit.PERCENT: (100, "%"),
    Unit.POINTS: (100, "points"),
    Unit.PER_THOUSAND: (1000, "per 1000"),
    Unit.BYTES: (1, "B"),
    Unit.SECONDS: (1000, "ms"),
    Unit.QUANTA: (1, "quanta"),
    Unit.SCORE: (1, ""),
}
_READ: Mapping[str, tuple[int, tuple[Unit, ...]]] = {
    "": (1, (Unit.COUNT, Unit.RATIO, Unit.SCORE)),
    **{suffix: (factor, (unit,)) for unit, (factor, suffix) in _WRITTEN.items() if suffix},
    "s": (1, (Unit.SECONDS,)),
    "us": (1_000_000, (Unit.SECONDS,)),
    "quantum": (1, (Unit.QUANTA,)),
    "point": (100, (Unit.POINTS,)),
}
ALLOWED = "a number and its unit, as in " + ", ".join(f"2 {suffix}" for suffix in _READ if suffix)
_AMOUNT = re.compile(r"(-?[0-9][0-9,]{0,20}(?:\.[0-9]{1,400})?) *(%|[A-Za-z][A-Za-z0-9 ]*)?")
_DIGITS = 6


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number that was read, as reports hold it: a share of 2 % is 0.02."""

    value: Fraction
    units: tuple[Unit, ...]
    """Its unit; a number without one may be a count, a ratio or a score."""


def read(written: str) -> Amount:
    """Read a number with its unit. ValueError where it is none; `ALLOWED` says what it may be."""
    found = _AMOUNT.fullmatch(written.strip())
    if found is None or (found[2] or "") not in _READ:
        raise ValueError(written)
    factor, units = _READ[found[2] or ""]
    return Amount(value=Fraction(found[1].replace(",", "")) / factor, units=units)


def exactly(value: Number, unit: Unit) -> str:
    """A number and its unit, to twelve digits."""
    return _joined(_scaled(value, unit, Context(prec=12)), unit)


def outward(value: Number, unit: Unit, *, up: bool) -> str:
    """A number and its unit in six digits; what they cannot hold is rounded `up`, or down.

    Whole numbers are written whole.
    """
    if _exact_value(value, unit).denominator == 1:
        return exactly(value, unit)
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return _joined(_scaled(value, unit, Context(prec=_DIGITS, rounding=rounding)), unit)


def _exact_value(value: Number, unit: Unit) -> Fraction:
    """The number in the unit as it is written; a float stands for its shortest decimal."""
    plain = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    return plain * _WRITTEN[unit][0]


def _scaled(value: Number, unit: Unit, context: Context) -> Decimal:
    exact = _exact_value(value, unit)
    return context.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _joined(number: Decimal, unit: Unit) -> str:
    shown = format(number, "f")
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return f"{shown} {_WRITTEN[unit][1]}".rstrip()

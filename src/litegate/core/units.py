"""Define quantities with a unit, and convert them to and from text.

Shares, points and counts are exact fractions, so that a limit of 0.5 points of 10,000 samples is
exactly 50 samples. Times and ratios of times are floats.
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
    """Unit of a number; the value is its name in reports."""

    COUNT = "count"
    """A count; the limit is a plain number."""
    RATIO = "ratio"
    """A quotient of two quantities of the same unit; the limit is a plain number."""
    PERCENT = "%"
    """A share of a whole, stored as 0 to 1."""
    POINTS = "points"
    """A difference of two shares, stored as -1 to 1 (one point is 0.01)."""
    PER_THOUSAND = "per 1000"
    """A number per thousand samples, stored as 0 to 1."""
    BYTES = "B"
    """Bytes."""
    SECONDS = "s"
    """Seconds; written in milliseconds or microseconds if they are below 1 s."""
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
    """Return a share of a whole: ``percent(97.5)`` is 0.975."""
    return Quantity(_exact(share) / 100, Unit.PERCENT)


def points(difference: Number) -> Quantity:
    """Return a difference of two shares: ``points(0.5)`` is 0.005."""
    return Quantity(_exact(difference) / 100, Unit.POINTS)


def per_thousand(number: Number) -> Quantity:
    """Return a number per thousand samples: ``per_thousand(5)`` is 0.005."""
    return Quantity(_exact(number) / 1000, Unit.PER_THOUSAND)


def kib(number: Number) -> Quantity:
    """Return kibibytes: ``kib(25)`` is 25,600 bytes."""
    return Quantity(_exact(number) * 1024, Unit.BYTES)


def byte(number: int) -> Quantity:
    """Return bytes."""
    return Quantity(Fraction(number), Unit.BYTES)


def ms(number: Number) -> Quantity:
    """Return milliseconds."""
    return Quantity(float(number) / 1e3, Unit.SECONDS)


def us(number: Number) -> Quantity:
    """Return microseconds."""
    return Quantity(float(number) / 1e6, Unit.SECONDS)


def quanta(number: Number) -> Quantity:
    """Return steps of an output's quantization scale."""
    return Quantity(_exact(number), Unit.QUANTA)


def difference_text(value: Number, unit: Unit, *, signed: bool = False) -> str:
    """Format the difference of two numbers of a unit: shares in per cent differ by points."""
    return text(value, Unit.POINTS if unit is Unit.PERCENT else unit, signed=signed)


_HUNDREDTHS = {Unit.PERCENT: (100, " %"), Unit.POINTS: (100, " points")}


def text(value: Number, unit: Unit, *, signed: bool = False) -> str:
    """Format a number with its unit, rounded for reading.

    Shares and points have two decimals, numbers per thousand one: each resolves one of 10,000
    samples. Ratios have three, as the default limit of latency, 1.025. A number that is not zero is
    never shown as zero. `signed` puts a plus before positive numbers.
    """
    sign = "+" if signed and value > 0 else ""
    return sign + _plain(value, unit)


def _plain(value: Number, unit: Unit) -> str:  # noqa: PLR0911 one format per unit
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
    """Format with fixed decimals; with one significant digit if they would show zero."""
    if value and abs(value) < 0.5 * 10**-places:
        return f"{value:.1g}"
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no "-0.00"


def _significant(value: float) -> str:
    """Format with four significant digits: "0.9310", "2,871", "3.2e-05".

    A metric's limit has two or three; a digit more shows how near the value is.
    """
    if not value:
        return "0"
    # Beyond these, a reader would have to count zeros or digits.
    if abs(value) < 1e-4 or abs(value) >= 1e9:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def _seconds(value: float) -> str:
    """Format in the largest of s, ms and us; no finer than 0.1 us, within the clock's noise."""
    if abs(value) >= 1:
        return f"{value:.2f} s"
    if abs(value) >= 1e-3:
        return f"{value * 1e3:.2f} ms"
    return f"{value * 1e6:.1f} us"


# Factor from the stored to the written number, and the suffix.
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
# Factor from the stored to the written number, and the possible units, by suffix.
_READ: Mapping[str, tuple[int, tuple[Unit, ...]]] = {
    "": (1, (Unit.COUNT, Unit.RATIO, Unit.SCORE)),
    **{suffix: (factor, (unit,)) for unit, (factor, suffix) in _WRITTEN.items() if suffix},
    "s": (1, (Unit.SECONDS,)),
    "us": (1_000_000, (Unit.SECONDS,)),
    "quantum": (1, (Unit.QUANTA,)),
    "point": (100, (Unit.POINTS,)),
}
_SINGULAR = {"points": "point", "quanta": "quantum"}
ALLOWED = "a number and its unit, such as " + ", ".join(f"2 {suffix}" for suffix in _READ if suffix)
# The lengths are bounded: the text comes from a file, and its number becomes an exact fraction.
_AMOUNT = re.compile(r"(-?[0-9][0-9,]{0,20}(?:\.[0-9]{1,400})?) *(%|[A-Za-z][A-Za-z0-9 ]*)?")
_OUTWARD_DIGITS = 6
"""Significant digits of a rounded limit: the rounding gives away at most 1e-5 of the value, and the
text stays short enough to be read in a review."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A parsed number, in the scale of reports: a share of 2 % is 0.02."""

    value: Fraction
    units: tuple[Unit, ...]
    """Possible units; a number without a unit may be a count, a ratio or a score."""


def read(text: str) -> Amount:
    """Parse a number with its unit, as described in `ALLOWED`. Raises ValueError for other text."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or (match[2] or "") not in _READ:
        raise ValueError(text)
    factor, units = _READ[match[2] or ""]
    return Amount(value=Fraction(match[1].replace(",", "")) / factor, units=units)


def exactly(value: Number, unit: Unit) -> str:
    """Format a number with its unit to twelve significant digits, which `read` accepts.

    A float has 15 to 17, of which rounding may change the last ones.
    """
    return _joined(_scaled(value, unit, Context(prec=12)), unit)


def outward(value: Number, unit: Unit, *, up: bool) -> str:
    """Format a number with its unit to six significant digits, rounded `up` or down.

    Whole numbers keep all digits.
    """
    if _exact_value(value, unit).denominator == 1:
        return exactly(value, unit)
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return _joined(_scaled(value, unit, Context(prec=_OUTWARD_DIGITS, rounding=rounding)), unit)


def _exact_value(value: Number, unit: Unit) -> Fraction:
    """Return the number in the written unit; a float counts as its shortest decimal."""
    return _exact(value) * _WRITTEN[unit][0]


def _scaled(value: Number, unit: Unit, context: Context) -> Decimal:
    exact = _exact_value(value, unit)
    return context.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _joined(number: Decimal, unit: Unit) -> str:
    digits = format(number, ",f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    suffix = _WRITTEN[unit][1]
    return f"{digits} {_SINGULAR.get(suffix, suffix) if abs(number) == 1 else suffix}".rstrip()

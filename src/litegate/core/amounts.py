"""Numbers with their unit as text that can be read back: "0.714286 points", "12288 B".

`units.text` writes for a reader and rounds to two decimals; what a person reviews and a program
holds a verdict against must be told apart to the last digit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import final

from litegate.core.units import Number, Unit

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
    if _exact(value, unit).denominator == 1:
        return exactly(value, unit)
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return _joined(_scaled(value, unit, Context(prec=_DIGITS, rounding=rounding)), unit)


def _exact(value: Number, unit: Unit) -> Fraction:
    """The number in the unit as it is written; a float stands for its shortest decimal."""
    plain = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    return plain * _WRITTEN[unit][0]


def _scaled(value: Number, unit: Unit, context: Context) -> Decimal:
    exact = _exact(value, unit)
    return context.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _joined(number: Decimal, unit: Unit) -> str:
    shown = format(number, "f")
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return f"{shown} {_WRITTEN[unit][1]}".rstrip()

"""Find loose limits: so far from a model's value that it could get much worse unnoticed.

A limit allows an amount: bytes, errors, points. The amount that a model needs is its value with a
tenth on top if it is exact, and the far end of its 95 % interval if it is statistical, but at least
as many samples as can prove a limit. If that is
at most 60 % of the allowed amount, a note gives a tighter limit, written as in the model's file.
Times are left out: they depend on the machine that measured them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from litegate.core.units import Quantity, Unit, text
from litegate.measures.lints.undecidable_limits import MIN_SAMPLES
from litegate.measures.names import Name, bounded_by, without_runtime
from litegate.report.row_text import subject_of
from litegate.spec import Budget, Metric

MOST_USED = Fraction(60, 100)
"""A note is made if the model needs at most this share of what its limit allows: it could get two
thirds worse unnoticed. A larger share would nag about limits that were set with some room."""
HEADROOM = Fraction(110, 100)
"""Factor on an exact value: the next honest change adds a little. Ten times the growth in size that
`Regression` allows by default, so that a proposed limit lasts for several changes."""
LOOSE = "could be tightened to"
"""In each of these notes and in no other, so that reports can find them."""
_DIGITS = 2
"""Significant digits of a proposed limit, which a person writes and reads; the rounding is
outwards, and gives away less than a tenth."""

Row = Mapping[str, Any]
"""A verdict as `run_record.verdict_row` makes it."""


@final
@dataclass(frozen=True, slots=True)
class _Notation:
    """The notation of a limit in a model's file: `accuracy=lg.percent(97)`."""

    field: str
    function: str
    """The function of litegate's units; empty for a plain number."""
    factor: Fraction = Fraction(1)
    """Multiplies a value of the report to get the function's argument."""
    whole: Fraction | None = None
    """For a lower limit: the highest possible value; the limit allows the difference."""


_HUNDRED, _ONE = Fraction(100), Fraction(1)
_FIELDS: Mapping[str, _Notation] = {
    Name.ACCURACY: _Notation("accuracy", "percent", _HUNDRED, _ONE),
    Name.ACCURACY_DROP: _Notation("accuracy_drop", "points", _HUNDRED),
    Name.EXTRA_ERRORS: _Notation("extra_errors", "per_thousand", Fraction(1000)),
    Name.CLASS_DROP: _Notation("class_drop", "points", _HUNDRED),
    Name.KERAS_AGREEMENT: _Notation("keras_agreement", "percent", _HUNDRED, _ONE),
    Name.KERAS_DIFFERENCE: _Notation("keras_difference", "quanta"),
    Name.REFERENCE_AGREEMENT: _Notation("agreement", "percent", _HUNDRED, _ONE),
    Name.OUTPUT_ERROR: _Notation("output_error", "percent", _HUNDRED),
    Name.RUNTIME_AGREEMENT: _Notation("runtime_agreement", "percent", _HUNDRED, _ONE),
    Name.SIZE: _Notation("size", "kib", Fraction(1, 1024)),
    Name.SIZE_RATIO: _Notation("size_ratio", ""),
    Name.COMPRESSED_SIZE: _Notation("compressed_size", "kib", Fraction(1, 1024)),
}
"""The limits that are looked at, by the name of their measurement."""


def loose_limits(budget: Budget, rows: Iterable[Row]) -> tuple[str, ...]:
    """Return a note for each limit of `budget` that is loose on every runtime.

    `rows` are the verdicts of the model and recipe that the budget is of.
    """
    by_limit: dict[str, list[tuple[Fraction, str]]] = {}
    for row in rows:
        notation, limit = _limit_of(budget, without_runtime(row["measurement"]))
        if notation is not None and limit is not None and _is_compared(row, limit):
            by_limit.setdefault(notation.field, []).append(_note_of(row, notation))
    # The runtime that needs most decides; an empty note says that its limit is not loose.
    return tuple(max(notes)[1] for notes in by_limit.values() if all(note for _, note in notes))


def _is_compared(row: Row, limit: Any) -> bool:
    """Return True unless a check of the user's own compares with a limit of its own."""
    return bool(float(limit.value if isinstance(limit, Quantity) else limit) == row["limit"])


def _note_of(row: Row, notation: _Notation) -> tuple[Fraction, str]:
    """Return what a row needs of its limit, with a note if that is far less than it allows."""
    allowed, needed = _room(_exact(row["limit"]), notation), _needed(row, notation)
    is_loose = row["verdict"] == "pass" and allowed > 0 and 0 < needed <= MOST_USED * allowed
    return needed, _note(row, notation, needed) if is_loose else ""


def _limit_of(budget: Budget, measurement: str) -> tuple[_Notation | None, Any]:
    """Return the notation and the value of a measurement's limit; None if it has no limit."""
    if notation := _FIELDS.get(measurement):
        return notation, getattr(budget, notation.field)
    for metric in budget.metrics:
        for name, limit in metric.limits().items():
            is_unbounded = name == "least" and not metric.bounded
            if bounded_by(metric, name) == measurement and not is_unbounded:
                return _metric_notation(metric, name), limit
    return None, None


def _metric_notation(metric: Metric, limit: str) -> _Notation:
    """Return the notation of a metric's limit: "metric auc: loss"."""
    is_percent = metric.unit() is Unit.PERCENT
    function = {Unit.PERCENT: "percent", Unit.POINTS: "points"}.get(metric.unit(limit), "")
    factor = _HUNDRED if is_percent else _ONE
    whole = _ONE if limit == "least" else None
    return _Notation(f"metric {metric.name}: {limit}", function, factor, whole)


def _room(bound: Fraction, notation: _Notation) -> Fraction:
    return bound if notation.whole is None else notation.whole - bound


def _needed(row: Row, notation: _Notation) -> Fraction:
    """Return the amount that a limit must allow for the model to keep it, with confidence."""
    if row["interval"] is None:
        return _room(_exact(row["value"]), notation) * HEADROOM
    far = _room(_exact(row["interval"]["high" if notation.whole is None else "low"]), notation)
    is_share = row["n"] and notation.function in ("percent", "points", "per_thousand")
    # Below it, the next run would print that so few samples cannot decide the limit.
    return max(far, Fraction(MIN_SAMPLES, row["n"])) if is_share else far


def _exact(reported: float) -> Fraction:
    """Return the decimal number that the report prints: 0.98 is 98 %, not a little less."""
    return Fraction(str(reported))


def _note(row: Row, notation: _Notation, needed: Fraction) -> str:
    unit = Unit(row["unit"])

    value, limit = text(row["value"], unit), text(row["limit"], unit)
    return (
        f"{subject_of(row)}: {row['measurement']} is {value}, its limit {limit}: it {LOOSE} "
        f"{notation.field}={_proposed(notation, needed)}"
    )


def _proposed(notation: _Notation, needed: Fraction) -> str:
    """Format a tighter limit as in the model's file, rounded to the lenient side."""
    allowed = _rounded_up(needed * notation.factor)
    bound = allowed if notation.whole is None else notation.whole * notation.factor - allowed
    number = f"{float(bound):.12g}"
    return f"lg.{notation.function}({number})" if notation.function else number


def _rounded_up(value: Fraction) -> Fraction:
    """Round a positive value up to two significant digits."""
    exponent = math.floor(math.log10(value)) - _DIGITS + 1
    step = Fraction(10) ** exponent
    return math.ceil(value / step) * step

"""Slack: limits that a model keeps so easily that it could become much worse unseen.

A limit allows something: bytes, errors, points. What a model needs of it is its value with a tenth
on top where it is exact, and the far end of its 95 % interval where it is statistical. Where that
is at most 60 % of what is allowed, a note gives the limit that would hold the model there, written
as in its file. Times are left out: they belong to the machine that measured them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from litegate.core.units import Quantity, Unit, text
from litegate.measures.metrics.names import bounded_by
from litegate.spec import Budget, Metric

MOST_USED = Fraction(60, 100)
"""The share of what a limit allows, at and below which its slack is said."""
HEADROOM = Fraction(110, 100)
"""What an exact value is multiplied by: the next honest change adds a little."""
SLACK = "is far from its limit"
"""What each of these notes says, and no other."""
_DIGITS = 2
"""Significant digits of a limit that is proposed."""

Row = Mapping[str, Any]
"""A verdict as `reports.record.verdict_row` makes it."""


@final
@dataclass(frozen=True, slots=True)
class _Written:
    """How a limit stands in a model's file."""

    field: str
    function: str
    """Of litegate's units; empty for a plain number."""
    factor: Fraction = Fraction(1)
    """How many of the function's numbers one of the value's is."""
    whole: Fraction | None = None
    """For a floor: what the value cannot exceed; the limit allows the rest."""


_HUNDRED, _ONE = Fraction(100), Fraction(1)
_FIELDS: Mapping[str, _Written] = {
    "accuracy": _Written("accuracy", "percent", _HUNDRED, _ONE),
    "accuracy drop": _Written("accuracy_drop", "points", _HUNDRED),
    "number of extra errors": _Written("extra_errors", "per_thousand", Fraction(1000)),
    "worst class's accuracy drop": _Written("class_drop", "points", _HUNDRED),
    "agreement with Keras": _Written("keras_agreement", "percent", _HUNDRED, _ONE),
    "largest difference from Keras": _Written("keras_difference", "quanta"),
    "agreement with the reference": _Written("agreement", "percent", _HUNDRED, _ONE),
    "output error": _Written("output_error", "percent", _HUNDRED),
    "agreement of kernels": _Written("kernel_agreement", "percent", _HUNDRED, _ONE),
    "size": _Written("size", "kib", Fraction(1, 1024)),
    "size ratio": _Written("size_ratio", ""),
    "compressed size": _Written("compressed_size", "kib", Fraction(1, 1024)),
}
"""The limits that slack is said of, by the name of their measurement."""


def slack(budget: Budget, rows: Iterable[Row]) -> tuple[str, ...]:
    """A note for each passed limit of `budget` that a model keeps with room for much worse.

    `rows` are the verdicts of the one model and recipe that the budget holds for.
    """
    return tuple(note for row in rows for note in _notes(budget, row))


def _notes(budget: Budget, row: Row) -> Iterator[str]:
    written, limit = _promised(budget, row["measurement"])
    if written is None or limit is None or row["verdict"] != "pass":
        return
    bound = _exact(row["limit"])
    if float(limit.value if isinstance(limit, Quantity) else limit) != row["limit"]:
        return  # a check of the user's own, with a limit of its own
    allowed, needed = _room(bound, written), _needed(row, written)
    if allowed > 0 and 0 < needed <= MOST_USED * allowed:
        yield _note(row, written, needed)


def _promised(budget: Budget, measured: str) -> tuple[_Written | None, Any]:
    """How the limit of a measurement is written, and the limit; None where there is none."""
    if written := _FIELDS.get(measured):
        return written, getattr(budget, written.field)
    for metric in budget.metrics:
        for name, limit in metric.limits().items():
            endless = name == "least" and not metric.bounded
            if bounded_by(metric, name) == measured and not endless:
                return _written(metric, name), limit
    return None, None


def _written(metric: Metric, limit: str) -> _Written:
    """As it stands with its metric: "loss of metric auc"."""
    of_marks = metric.unit() is Unit.PERCENT
    function = {Unit.PERCENT: "percent", Unit.POINTS: "points"}.get(metric.unit(limit), "")
    factor = _HUNDRED if of_marks else _ONE
    whole = _ONE if limit == "least" else None
    return _Written(f"metric {metric.name}: {limit}", function, factor, whole)


def _room(bound: Fraction, written: _Written) -> Fraction:
    return bound if written.whole is None else written.whole - bound


def _needed(row: Row, written: _Written) -> Fraction:
    """What the limit must allow so that the model still keeps it; proven where statistical."""
    if row["interval"] is None:
        return _room(_exact(row["value"]), written) * HEADROOM
    far = row["interval"]["high" if written.whole is None else "low"]
    return _room(_exact(far), written)


def _exact(reported: float) -> Fraction:
    """The number as the report writes it: 0.98 is 98 %, not a little less."""
    return Fraction(str(reported))


def _note(row: Row, written: _Written, needed: Fraction) -> str:
    unit = Unit(row["unit"])
    whose = f"{row['model']}/{row['recipe']}" if row["recipe"] else row["model"]
    value, limit = text(row["value"], unit), text(row["limit"], unit)
    return (
        f"{whose}: {row['measurement']} {value} {SLACK}, {row['relation']} {limit}; "
        f"{written.field}={_proposed(written, needed)} would hold it there"
    )


def _proposed(written: _Written, needed: Fraction) -> str:
    """The limit as it would stand in the model's file, rounded to what is easier to keep."""
    allowed = _rounded_up(needed * written.factor)
    bound = allowed if written.whole is None else written.whole * written.factor - allowed
    number = f"{float(bound):.12g}"
    return f"{written.function}({number})" if written.function else number


def _rounded_up(value: Fraction) -> Fraction:
    """The least number of two significant digits that is not below a value above zero."""
    exponent = math.floor(math.log10(value)) - _DIGITS + 1
    step = Fraction(10) ** exponent
    return math.ceil(value / step) * step

"""Format what candidates answer on each runtime as a table."""

from __future__ import annotations

from litegate.core.units import Unit, text
from litegate.report.outcomes import Row

RUNTIME_HEAD = ("runtime", "accuracy", "drop", "flips", "equal to xnnpack")
"""Column heads of `runtime_figures`."""


def runtime_figures(row: Row) -> tuple[str, ...]:
    """Return the runtime, accuracy, drop, flips and agreement with XNNPACK as cells."""
    return (
        str(row["runtime"]),
        _cell(row["accuracy"], Unit.PERCENT),
        _cell(row["drop"], Unit.POINTS),
        _flips(row),
        _cell(row["agreement"], Unit.PERCENT),
    )


def _cell(value: float | None, unit: Unit) -> str:
    return "" if value is None else text(value, unit)


def _flips(row: Row) -> str:
    if row["broken"] is None or row["fixed"] is None:
        return ""
    return f"{row['broken']:,} broken, {row['fixed']:,} fixed"

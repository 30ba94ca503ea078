"""A verdict as a picture: the value as a dot, its interval as a bar, the limit as a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.formatting import whose
from litegate.report.html.charts.svg import Scale, dot, label, line, plot, share, tag
from litegate.report.outcomes import outcome_of

Row = Mapping[str, Any]

_HEIGHT, _MIDDLE, _CAP = 58, 29, 5
_TOP, _BOTTOM = 17, 41
"""Ends of the limit's line; above and below stand the labels."""


def interval(row: Row, before: Row | None = None) -> Markup:
    """Draw a verdict's row of `report.json`; `before` is the same verdict of another report."""
    unit, limit, value = Unit(row["unit"]), float(row["limit"]), float(row["value"])
    scale = Scale([*_seen(row), *(_seen(before) if before else ())])
    shapes = [*_zones(scale(limit), at_most=row["relation"] == "<=")]
    shapes += [line("limit", (scale(limit),) * 2, (_TOP, _BOTTOM))]
    shapes += [*_bar(before, scale, "before")] if before else []
    shapes += [*_bar(row, scale, outcome_of(row))]
    shapes += [label("value", text(value, unit), scale(value), 12)]
    shapes += [label("bound", f"limit {text(limit, unit)}", scale(limit), 54)]
    return plot("interval", _said(row), *shapes, height=_HEIGHT)


def _seen(row: Row) -> list[float]:
    found = row["interval"] or {}
    return [float(row["value"]), float(row["limit"]), *(float(found[k]) for k in _ENDS if found)]


_ENDS = ("low", "high")


def _zones(limit: float, *, at_most: bool) -> Iterator[Markup]:
    """What the limit allows, and what it does not."""
    left, right = ("kept", "broken") if at_most else ("broken", "kept")
    for class_, x, width in ((left, 0.0, limit), (right, limit, 1 - limit)):
        yield tag("rect", class_=class_, x=share(x), width=share(width), y=22, height=14)


def _bar(row: Row, scale: Scale, class_: str) -> Iterator[Markup]:
    if found := row["interval"]:
        low, high = (scale(float(found[end])) for end in _ENDS)
        yield line(f"bar {class_}", (low, high), (_MIDDLE, _MIDDLE))
        for end in (low, high):
            yield line(f"bar {class_}", (end, end), (_MIDDLE - _CAP, _MIDDLE + _CAP))
    yield dot(f"dot {class_}", scale(float(row["value"])), _MIDDLE)


def _said(row: Row) -> str:
    unit = Unit(row["unit"])
    found = row["interval"]
    ends = (text(found[end], unit) for end in _ENDS) if found else ()
    between = ", interval {} to {}".format(*ends) if found else ""
    limit = f"{row['relation']} {text(row['limit'], unit)}"
    value = text(row["value"], unit)
    return f"{row['measurement']} of {whose(row)}: {value}{between}, limit {limit}"

"""Draw a verdict: the value as a dot, its interval as a bar, the limit as a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.formatting import subject_of
from litegate.report.html.charts.svg import Scale, dot, label, line, plot, share, tag
from litegate.report.outcomes import outcome_of

Row = Mapping[str, Any]

_HEIGHT, _MIDDLE, _CAP = 58, 29, 5
"""Pixels. Chosen by eye, as are the places of labels and zones below: a line of text fits above the
bar, one below."""
_TOP, _BOTTOM = 17, 41
"""Ends of the limit's line; the labels are above and below."""
_ENDS = ("low", "high")


def interval(row: Row, before: Row | None = None) -> Markup:
    """Draw a verdict row of `report.json`; `before` is the same verdict in another report."""
    unit, limit, value = Unit(row["unit"]), float(row["limit"]), float(row["value"])
    scale = Scale([*_values(row), *(_values(before) if before else ())])
    shapes = [*_zones(scale(limit), at_most=row["relation"] == "<=")]
    shapes += [line("limit", (scale(limit),) * 2, (_TOP, _BOTTOM))]
    shapes += [*_bar(before, scale, "before")] if before else []
    shapes += [*_bar(row, scale, outcome_of(row))]
    shapes += [label("value", text(value, unit), scale(value), 12)]
    shapes += [label("bound", f"limit {text(limit, unit)}", scale(limit), 54)]
    return plot("interval", _description(row), *shapes, height=_HEIGHT)


def _values(row: Row) -> list[float]:
    ends = row["interval"] or {}
    return [float(row["value"]), float(row["limit"]), *(float(ends[end]) for end in _ENDS if ends)]


def _zones(limit: float, *, at_most: bool) -> Iterator[Markup]:
    """Shade the side that the limit allows and the side that it forbids."""
    left, right = ("kept", "broken") if at_most else ("broken", "kept")
    for class_, x, width in ((left, 0.0, limit), (right, limit, 1 - limit)):
        yield tag("rect", class_=class_, x=share(x), width=share(width), y=22, height=14)


def _bar(row: Row, scale: Scale, class_: str) -> Iterator[Markup]:
    if ends := row["interval"]:
        low, high = (scale(float(ends[end])) for end in _ENDS)
        yield line(f"bar {class_}", (low, high), (_MIDDLE, _MIDDLE))
        for end in (low, high):
            yield line(f"bar {class_}", (end, end), (_MIDDLE - _CAP, _MIDDLE + _CAP))
    yield dot(f"dot {class_}", scale(float(row["value"])), _MIDDLE)


def _description(row: Row) -> str:
    unit = Unit(row["unit"])
    interval_ends = row["interval"]
    ends = (text(interval_ends[end], unit) for end in _ENDS) if interval_ends else ()
    interval_text = ", interval {} to {}".format(*ends) if interval_ends else ""
    limit = f"{row['relation']} {text(row['limit'], unit)}"
    value = text(row["value"], unit)
    return f"{row['measurement']} of {subject_of(row)}: {value}{interval_text}, limit {limit}"

"""Draw a verdict with an interval: the value as a dot, the interval as a bar, the limit as a line.

A verdict without an interval is exact; its value, limit and margin say all, and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import Scale, dot, label, line, plot, share, tag
from litegate.report.outcomes import outcome_of
from litegate.report.row_text import subject_of

Row = Mapping[str, Any]

_HEIGHT, _MIDDLE, _CAP = 34, 10, 5
"""Pixels, chosen by eye, as are those below: a bar with its caps, and a line of text below it."""
_TOP, _BOTTOM, _TEXT = 1, 19, 31
_ROOM = 0.05
"""Share of the span at both ends: a dot at an end is whole."""
_NEAR = 0.3
"""Share of the width: nearer labels would overlap, so that only the limit has one."""
_ENDS = ("low", "high")


def interval(row: Row, before: Row | None = None) -> Markup:
    """Draw a verdict row of `report.json`; `before` is the same verdict in another report.

    Empty if the row has no interval.
    """
    if not row["interval"]:
        return Markup("")
    limit, ideal = float(row["limit"]), _ideal(row)
    values = [*_values(row), *(_values(before) if before else ())]
    scale = Scale([*values, *([] if ideal is None else [ideal])], room=_ROOM)
    shapes = [*_zones(scale(limit), at_most=row["relation"] == "<=")]
    if ideal is not None:
        shapes += [*_ideal_mark(ideal, row, scale)]
    shapes += [line("limit", (scale(limit),) * 2, (_TOP, _BOTTOM))]
    shapes += [*_bar(before, scale, "before")] if before else []
    shapes += [*_bar(row, scale, outcome_of(row))]
    shapes += [label("bound", "limit", scale(limit), _TEXT)]
    return plot("interval", _description(row), *shapes, height=_HEIGHT)


def _ideal(row: Row) -> float | None:
    """Return the end of the scale that means something: 0 of a loss, 100 % of a share.

    None for a metric that should be large and has no known end.
    """
    if row["relation"] == "<=":
        return 0.0
    return 1.0 if row["unit"] == Unit.PERCENT else None


def _ideal_mark(ideal: float, row: Row, scale: Scale) -> Iterator[Markup]:
    x = scale(ideal)
    yield line("ground", (x, x), (_TOP, _BOTTOM))
    if abs(x - scale(float(row["limit"]))) >= _NEAR:
        yield label("tick", "100 %" if ideal else "0", x, _TEXT)


def _values(row: Row) -> list[float]:
    ends = row["interval"] or {}
    return [float(row["value"]), float(row["limit"]), *(float(ends[end]) for end in _ENDS if ends)]


def _zones(limit: float, *, at_most: bool) -> Iterator[Markup]:
    """Shade the side that the limit allows and the side that it forbids."""
    left, right = ("kept", "broken") if at_most else ("broken", "kept")
    for class_, x, width in ((left, 0.0, limit), (right, limit, 1 - limit)):
        yield tag("rect", class_=class_, x=share(x), width=share(width), y=3, height=14)


def _bar(row: Row, scale: Scale, class_: str) -> Iterator[Markup]:
    if ends := row["interval"]:
        low, high = (scale(float(ends[end])) for end in _ENDS)
        yield line(f"bar {class_}", (low, high), (_MIDDLE, _MIDDLE))
        for end in (low, high):
            yield line(f"bar {class_}", (end, end), (_MIDDLE - _CAP, _MIDDLE + _CAP))
    yield dot(f"dot {class_}", scale(float(row["value"])), _MIDDLE)


def _description(row: Row) -> str:
    unit, ends = Unit(row["unit"]), row["interval"]
    low, high = (text(ends[end], unit) for end in _ENDS)
    limit = f"{row['relation']} {text(row['limit'], unit)}"
    value = text(row["value"], unit)
    name = f"{row['measurement']} of {subject_of(row)}"
    return f"{name}: {value}, interval {low} to {high}, limit {limit}"

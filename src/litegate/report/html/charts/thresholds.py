"""Draw a detector's rate over thresholds, with its limit and the declared threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import (
    Area,
    Scale,
    dot,
    gridline,
    label,
    line,
    plot,
    polyline,
    rounded,
    share,
)

Row = Mapping[str, Any]

_THRESHOLD = "threshold"
"""The name of the series with the thresholds; the other one has the rates."""
_LEAST_POINTS = 2
"""With one threshold there is no line."""
_HEIGHT = 150
"""Pixels, chosen by eye, as are the margins and offsets below: labels have room."""
_AREA = Area(left=0.09, right=0.98, top=0.12, bottom=0.86)


def has_curve(row: Row) -> bool:
    """Return True if a verdict row has a rate at enough thresholds to draw."""
    return len(_points(row)) >= _LEAST_POINTS


def _points(row: Row) -> list[tuple[float, float]]:
    """Return the pairs of threshold and rate."""
    series = dict(row.get("series") or {})
    thresholds = series.pop(_THRESHOLD, ())
    rates = next(iter(series.values()), ())
    return list(zip(thresholds, rates, strict=False))


def threshold_curve(row: Row) -> Markup:
    """Draw the rate of false accepts, or of false rejects, against its limit."""
    points, unit = _points(row), Unit(row["unit"])
    limit, measured = float(row["limit"]), float(row["value"])
    rates = [rate for _, rate in points]
    x, y = Scale([threshold for threshold, _ in points], room=0), Scale([0.0, *rates, limit], 0.04)
    curve = [(_AREA.x(x(threshold)), _AREA.y(y(rate))) for threshold, rate in points]
    level = share(_AREA.y(y(limit)))
    shapes = [
        *_frame(points, y, unit),
        line("level limit", (_AREA.left, _AREA.right), (level, level)),
        label("tick", f"limit {text(limit, unit)}", _AREA.right, level),
        polyline("curve candidate", curve),
        dot("spot candidate", _AREA.x(0.5), share(_AREA.y(y(measured)))),
    ]
    low, high = points[0][0], points[-1][0]
    description = f"{row['measurement']} at {len(points)} thresholds from {low:g} to {high:g}"
    return plot("thresholds", description, *shapes, height=_HEIGHT)


def _frame(points: list[tuple[float, float]], y: Scale, unit: Unit) -> Iterator[Markup]:
    for value in rounded([0.0, *(rate for _, rate in points)]):
        yield gridline(text(value, unit), _AREA.y(y(value)))
    low, high = points[0][0], points[-1][0]
    for threshold in (low, (low + high) / 2, high):
        place = (threshold - low) / ((high - low) or 1.0)
        yield label("tick", f"{threshold:.3g}", _AREA.x(place), "98%")

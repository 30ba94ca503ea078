"""Draw one measurement over the commits as a line against its limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

from litegate.core.units import text
from litegate.report.html.charts.svg import (
    Area,
    Scale,
    dot,
    label,
    line,
    plot,
    polyline,
    share,
    tag,
)
from litegate.report.html.history import History, Line, Point

_HEIGHT, _FLOOR = 100, 0.82
"""Pixels, and the share of the height at which the forbidden zone ends. Chosen by eye, as are the
margins and radii below: labels have room."""
_AREA = Area(left=0.03, right=0.97, top=0.08, bottom=0.74)
_LEAST_SPAN = 0.05
"""Share of the largest value that the scale spans at least: keeps tiny changes looking tiny."""
_FAR, _FAR_SHARE = 2.0, 0.5
"""A limit that is farther from the values than two of their spans and than half of the largest
value is not drawn: on its scale the line would be flat. The caption names it."""


def over_commits(trend: Line, history: History) -> Markup:
    """Draw the values with each commit's limit; the forbidden side is shaded."""
    last = len(history.commits) - 1
    y_scale = _scale(trend)
    positions = ((_x(p.commit, last), _y(p.value, y_scale)) for p in trend.points)
    shapes = [*_limits(trend, y_scale, last), *_ticks(history, last)]
    shapes.append(polyline("curve candidate", positions))
    shapes += [
        dot(f"dot {p.outcome}", _x(p.commit, last), share(_y(p.value, y_scale)), 4)
        for p in trend.points
        if p.outcome != "pass" or p is trend.points[-1]
    ]
    return plot("over-commits", _description(trend, history), *shapes, height=_HEIGHT)


def _scale(trend: Line) -> Scale:
    """Return a scale over the values and the limits that are near enough to be drawn."""
    values = [point.value for point in trend.points]
    low, high = min(values), max(values)
    largest = max(abs(low), abs(high))
    span = max(high - low, _LEAST_SPAN * largest)
    reach = max(_FAR * span, _FAR_SHARE * largest)
    limits = {point.limit for point in trend.points}
    near_limits = [limit for limit in limits if low - reach <= limit <= high + reach]
    middle = (low + high) / 2
    return Scale([*values, *near_limits, middle - span / 2, middle + span / 2], room=0.08)


def _x(commit: float, last: int) -> float:
    return _AREA.x(commit / last)


def _y(value: float, y_scale: Scale) -> float:
    return _AREA.y(y_scale(value))


def _limits(trend: Line, y_scale: Scale, last: int) -> Iterator[Markup]:
    """Draw each limit from half-way after the previous commit to half-way before the next."""
    for points in _stretches(trend):
        limit = points[0].limit
        if not _is_seen(limit, y_scale):
            continue
        start, end = _start(points, last), _end(points, last)
        y = _y(limit, y_scale)
        top, bottom = (0.0, y) if trend.relation == "<=" else (y, _FLOOR)
        place = {"x": share(start), "y": share(top)}
        size = {"width": share(end - start), "height": share(bottom - top)}
        yield tag("rect", class_="broken", **place, **size)
        yield line("limit", (start, end), (share(y), share(y)))


def _is_seen(value: float, y_scale: Scale) -> bool:
    return y_scale.low <= value <= y_scale.low + y_scale.span


def _start(points: Sequence[Point], last: int) -> float:
    return _x(points[0].commit - 0.5, last) if points[0].commit else 0.0


def _end(points: Sequence[Point], last: int) -> float:
    return _x(points[-1].commit + 0.5, last) if points[-1].commit < last else 1.0


def _stretches(trend: Line) -> list[list[Point]]:
    """Group the points by runs of the same limit."""
    return [list(points) for _, points in groupby(trend.points, key=lambda point: point.limit)]


def _ticks(history: History, last: int) -> Iterator[Markup]:
    for index in (0, last):
        yield label("tick", history.commits[index].name, _x(index, last), "97%")


def caption(trend: Line) -> str:
    """Say the last value and its limit."""
    last = trend.points[-1]
    return f"{text(last.value, trend.unit)}, limit {trend.relation} {text(last.limit, trend.unit)}"


def _description(trend: Line, history: History) -> str:
    first, last = trend.points[0], trend.points[-1]
    subject = f"{trend.model}/{trend.recipe}" if trend.recipe else trend.model
    value_range = " to ".join(
        f"{text(p.value, trend.unit)} at {history.commits[p.commit].name}" for p in (first, last)
    )
    limit = f"{trend.relation} {text(last.limit, trend.unit)}"
    title = f"{trend.measurement} of {subject} over {len(trend.points)} commits"
    return f"{title}: {value_range}; limit {limit}"

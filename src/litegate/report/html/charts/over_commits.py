"""One measurement over the commits, as a line against its limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup

from litegate.core.units import text
from litegate.report.html.charts.svg import Scale, dot, label, line, plot, share, tag
from litegate.report.html.history import History, Line, Point

_HEIGHT, _TOP, _BOTTOM, _FLOOR = 116, 0.13, 0.7, 0.82
"""Of the height: between the first two lie the values, down to the last what the limit forbids."""
_LEAST_SPAN = 0.05
"""Of the values: smaller differences are not drawn larger than they are."""
_STEEP = 0.12
"""Of the values' scale from one commit to the next."""
_FAR, _FAR_SHARE = 2.0, 0.5
"""A limit farther off than so many spans of the values, and than this share of the largest, is
named, not drawn."""


def over_commits(drawn: Line, history: History) -> Markup:
    """Draw the values with the limit of each commit; what the limit forbids is shaded."""
    last = len(history.stations) - 1
    up = _scale(drawn)
    shapes = [*_limits(drawn, up, last), *_ticks(history, last), _path(drawn, up, last)]
    shapes += [
        dot(f"dot {p.outcome}", _x(p.at, last), share(_y(p.value, up)), 4)
        for p in drawn.points
        if p.outcome != "pass" or p is drawn.points[-1]
    ]
    shapes += [_last_value(drawn, up, last), _last_limit(drawn, up, last)]
    return plot("over-commits", _said(drawn, history), *shapes, height=_HEIGHT)


def _scale(drawn: Line) -> Scale:
    """Over the values and those limits that are near enough for both to be seen."""
    values = [point.value for point in drawn.points]
    low, high = min(values), max(values)
    largest = max(abs(low), abs(high))
    span = max(high - low, _LEAST_SPAN * largest)
    far = max(_FAR * span, _FAR_SHARE * largest)
    limits = {point.limit for point in drawn.points}
    near = [one for one in limits if low - far <= one <= high + far]
    middle = (low + high) / 2
    return Scale([*values, *near, middle - span / 2, middle + span / 2], room=0.08)


def _x(at: float, last: int) -> float:
    return 0.03 + 0.94 * at / last


def _y(value: float, up: Scale) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * up(value)


def _limits(drawn: Line, up: Scale, last: int) -> Iterator[Markup]:
    """A stretch for each limit, from half-way after the commit before to half-way to the next."""
    for points in _stretches(drawn):
        limit = points[0].limit
        if not _is_seen(limit, up):
            continue
        start, end = _start(points, last), _end(points, last)
        y = _y(limit, up)
        top, bottom = (0.0, y) if drawn.relation == "<=" else (y, _FLOOR)
        place = {"x": share(start), "y": share(top)}
        size = {"width": share(end - start), "height": share(bottom - top)}
        yield tag("rect", class_="broken", **place, **size)
        yield line("limit", (start, end), (share(y), share(y)))


def _is_seen(value: float, up: Scale) -> bool:
    return up.low <= value <= up.low + up.span


def _start(points: Sequence[Point], last: int) -> float:
    return _x(points[0].at - 0.5, last) if points[0].at else 0.0


def _end(points: Sequence[Point], last: int) -> float:
    return _x(points[-1].at + 0.5, last) if points[-1].at < last else 1.0


def _stretches(drawn: Line) -> list[list[Point]]:
    """The points, parted where the limit becomes another."""
    found = [[drawn.points[0]]]
    for before, after in pairwise(drawn.points):
        if before.limit == after.limit:
            found[-1].append(after)
        else:
            found.append([after])
    return found


def _path(drawn: Line, up: Scale, last: int) -> Markup:
    """In a picture of its own that may be stretched."""
    spots = ((_x(p.at, last), _y(p.value, up)) for p in drawn.points)
    listed = " ".join(f"{100 * x:.4g},{100 * y:.4g}" for x, y in spots)
    path = tag("polyline", class_="curve candidate", points=listed)
    stretched = {"viewBox": "0 0 100 100", "preserveAspectRatio": "none"}
    return tag("svg", path, width="100%", height="100%", **stretched)


def _ticks(history: History, last: int) -> Iterator[Markup]:
    for at in (0, last):
        yield label("tick", history.stations[at].name, _x(at, last), "97%")


def _last_value(drawn: Line, up: Scale, last: int) -> Markup:
    """Beside its dot, on the side where the limit is not, unless the line comes from there."""
    point, before = drawn.points[-1], drawn.points[max(0, len(drawn.points) - 2)]
    rise = up(point.value) - up(before.value)
    below = rise < 0 if abs(rise) > _STEEP else drawn.relation == "<="
    y = share(_y(point.value, up))
    said, x = text(point.value, drawn.unit), share(_x(point.at, last))
    return tag("text", said, class_="name", text_anchor="end", x=x, y=y, dy=17 if below else -9)


def _last_limit(drawn: Line, up: Scale, last: int) -> Markup:
    """On the side that it forbids; where it is too far off, at that edge."""
    points = _stretches(drawn)[-1]
    limit = points[0].limit
    said, above = f"limit {text(limit, drawn.unit)}", drawn.relation == "<="
    if _is_seen(limit, up):
        y, dy = share(_y(limit, up)), -4 if above else 12
    else:
        said = f"{said}, far {'above' if limit > points[-1].value else 'below'}"
        y, dy = share(0.08 if limit > points[-1].value else _FLOOR), 0
    return tag("text", said, class_="bound", x=share(_start(points, last)), y=y, dy=dy)


def _said(drawn: Line, history: History) -> str:
    first, last = drawn.points[0], drawn.points[-1]
    whose = f"{drawn.model}/{drawn.recipe}" if drawn.recipe else drawn.model
    ends = " to ".join(
        f"{text(p.value, drawn.unit)} at {history.stations[p.at].name}" for p in (first, last)
    )
    limit = f"{drawn.relation} {text(last.limit, drawn.unit)}"
    return f"{drawn.measurement} of {whose} over {len(drawn.points)} commits: {ends}; limit {limit}"

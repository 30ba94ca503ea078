"""Draw each class's accuracy before and after a change as two dots and a line between them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import Scale, dot, line, plot
from litegate.report.html.page_data import ClassChange

_HEIGHT, _MIDDLE = 22, 11
"""Pixels. A row of the table: its dots, 9 pixels wide, keep their distance from the next row's."""
_RADIUS = 4.5
"""Pixels: large enough for a colour to be told, small enough for two dots side by side."""
_ROOM = 0.06
"""Share of the span at both ends: a dot at an end is whole in a phone's 120 pixels."""


def class_scale(changes: Sequence[ClassChange]) -> Scale:
    """Return one scale for all classes of a list."""
    return Scale(
        (share for change in changes for share in (change.before, change.after)), room=_ROOM
    )


def class_change(change: ClassChange, scale: Scale) -> Markup:
    """Draw one class: a hollow dot before, a full dot after."""
    x_before, x_after = scale(change.before), scale(change.after)
    direction = (
        "same"
        if change.after == change.before
        else "worse"
        if change.after < change.before
        else "better"
    )
    return plot(
        "change",
        f"class {change.name}: from {_percent(change.before)} to {_percent(change.after)}",
        line("ground", (0.0, 1.0), (_MIDDLE, _MIDDLE)),
        line(f"way {direction}", (x_before, x_after), (_MIDDLE, _MIDDLE)),
        dot("dot before", x_before, _MIDDLE, _RADIUS),
        dot(f"dot {direction}", x_after, _MIDDLE, _RADIUS),
        height=_HEIGHT,
    )


def _percent(share: float) -> str:
    return text(share, Unit.PERCENT)

"""Each class's accuracy before and after, as two dots and the way between them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import Scale, dot, line, plot
from litegate.report.html.page_data import ClassChange

_HEIGHT, _MIDDLE = 22, 11


def class_scale(changes: Sequence[ClassChange]) -> Scale:
    """One scale for all classes of a list."""
    return Scale((share for one in changes for share in (one.before, one.after)), room=0.06)


def class_change(one: ClassChange, scale: Scale) -> Markup:
    """Draw one class: hollow what it was, full what it is."""
    was, now = scale(one.before), scale(one.after)
    word = "same" if one.after == one.before else "worse" if one.after < one.before else "better"
    return plot(
        "change",
        f"class {one.name}: from {_percent(one.before)} to {_percent(one.after)}",
        line("ground", (0.0, 1.0), (_MIDDLE, _MIDDLE)),
        line(f"way {word}", (was, now), (_MIDDLE, _MIDDLE)),
        dot("dot before", was, _MIDDLE, 4.5),
        dot(f"dot {word}", now, _MIDDLE, 4.5),
        height=_HEIGHT,
    )


def _percent(share: float) -> str:
    return text(share, Unit.PERCENT)

"""Draw bars: growth to the right and shrinkage to the left, or an error as a share."""

from __future__ import annotations

from markupsafe import Markup

from litegate.report.html.charts.svg import plot, share, tag
from litegate.report.html.page_data import LayerDifference

_LEAST_WIDTH = 0.004
"""Share of the width: one or two pixels, so that the smallest change can still be seen; wider would
make changes of different size look alike."""
_HEIGHT, _TOP, _THICKNESS = 18, 3, 12
"""Pixels: a bar is about as high as the table's letters, with space to the next row's."""


def bar(value: float, largest: float, description: str) -> Markup:
    """Draw a value from the middle; its magnitude is at most `largest`."""
    length = abs(value) / (2 * largest or 1)
    x, direction = (0.5, "worse") if value >= 0 else (0.5 - length, "better")
    return plot(
        "bar",
        description,
        tag("line", class_="ground", x1="50%", x2="50%", y1=0, y2=_HEIGHT),
        tag(
            "rect",
            class_=direction,
            x=share(x),
            width=share(max(length, _LEAST_WIDTH)),
            y=_TOP,
            height=_THICKNESS,
        ),
        height=_HEIGHT,
    )


def layer_bar(layer: LayerDifference, largest: float, *, alarming: bool) -> Markup:
    """Draw a layer's difference from its reference; the full width is `largest`, at most 1.

    The layer that diverges is red if that is `alarming`: if a verdict of its model failed.
    """
    full_width = min(1.0, largest) or 1.0
    return plot(
        "bar",
        f"{layer.name}: {layer.sqnr}",
        tag("line", class_="ground", x1="0", x2="0", y1=0, y2=_HEIGHT),
        tag(
            "rect",
            class_="worse" if alarming and layer.diverges else "error",
            x="0",
            width=share(min(1.0, max(layer.difference / full_width, _LEAST_WIDTH))),
            y=_TOP,
            height=_THICKNESS,
        ),
        height=_HEIGHT,
    )

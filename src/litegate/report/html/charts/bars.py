"""Draw bars: growth to the right and shrinkage to the left, or an error as a share."""

from __future__ import annotations

from markupsafe import Markup

from litegate.report.html.charts.svg import line, plot, share, tag
from litegate.report.html.page_data import LayerDifference

_LEAST_WIDTH = 0.004
"""Share of the width: one or two pixels, so that the smallest change can still be seen; wider would
make changes of different size look alike."""
_HEIGHT, _TOP, _THICKNESS = 18, 3, 12
"""Pixels: a bar is about as high as the table's letters, with space to the next row's."""


def bar(value: float, largest: float, description: str) -> Markup:
    """Draw a value from the middle; its magnitude is at most `largest`."""
    length = abs(value) / (2 * largest or 1)
    if value >= 0:
        return _bar("worse", description, ground=0.5, start=0.5, length=length)
    return _bar("better", description, ground=0.5, start=0.5 - length, length=length)


def layer_bar(layer: LayerDifference, largest: float, *, alarming: bool) -> Markup:
    """Draw a layer's difference from its reference; the full width is `largest`, at most 1.

    The layer that diverges is red if that is `alarming`: if a verdict of its model failed.
    """
    length = min(1.0, layer.difference / (min(1.0, largest) or 1.0))
    class_ = "worse" if alarming and layer.diverges else "error"
    return _bar(class_, f"{layer.name}: {layer.sqnr}", ground=0.0, start=0.0, length=length)


def _bar(class_: str, description: str, *, ground: float, start: float, length: float) -> Markup:
    width = share(max(length, _LEAST_WIDTH))
    return plot(
        "bar",
        description,
        line("ground", (ground, ground), (0, _HEIGHT)),
        tag("rect", class_=class_, x=share(start), width=width, y=_TOP, height=_THICKNESS),
        height=_HEIGHT,
    )

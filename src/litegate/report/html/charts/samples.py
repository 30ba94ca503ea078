"""Draw a sample for the flip sheet."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence

from markupsafe import Markup

from litegate.core.escaping import plain, shortened
from litegate.report.html.charts.svg import tag
from litegate.report.html.page_data import Image, Numbers, Picture, Wave

_WIDTH, _HEIGHT, _EDGE = 100, 48, 2
"""Units of a stretched drawing; the edge is room for the line's own width."""
_LONGEST_DESCRIPTION = 200
"""Characters; the name of a class may be of any length."""
_BAR = 0.8
"""Share of a number's place that its bar fills; the rest keeps bars apart."""


def sample(picture: Picture, description: str) -> Markup:
    """Draw a sample; `description` is its alternative text."""
    description = plain(shortened(description, _LONGEST_DESCRIPTION))
    match picture:
        case Image(png=png, width=width, height=height):
            source = "data:image/png;base64," + b64encode(png).decode()
            if picture.marks:
                return _marked(picture, source, description)
            kind = "features" if picture.is_features else "image"
            return Markup(
                '<img class="plot sample {}" src="{}" alt="{}" width="{}" height="{}">'
            ).format(kind, source, description, width, height)
        case Wave(values=values):
            return _wave(values, description)
        case Numbers(values=values):
            return _bars(values, description)


def _marked(picture: Image, source: str, description: str) -> Markup:
    """Draw an image with boxes over it, in units of its pixels."""
    width, height = picture.width, picture.height
    boxes = (
        tag(
            "rect",
            class_=mark.kind,
            x=f"{width * mark.left:.4g}",
            y=f"{height * mark.top:.4g}",
            width=f"{width * mark.width:.4g}",
            height=f"{height * mark.height:.4g}",
        )
        for mark in picture.marks
    )
    shapes = (tag("image", href=source, width=width, height=height), *boxes)
    fitted = {"viewBox": f"0 0 {width} {height}"}
    return tag(
        "svg", *shapes, class_="plot sample marked", role="img", aria_label=description, **fitted
    )


def _wave(values: Sequence[float], description: str) -> Markup:
    last = max(1, len(values) - 1)
    points = " ".join(
        f"{_WIDTH * number / last:.3g},{_y(value):.3g}" for number, value in enumerate(values)
    )
    return _stretched(description, tag("polyline", class_="curve wave", points=points))


def _bars(values: Sequence[float], description: str) -> Markup:
    """Draw each number as a bar from 0; a number that is not finite has none."""
    finite = [value if math.isfinite(value) else 0.0 for value in values]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    span, place = (high - low) or 1.0, _WIDTH / max(1, len(finite))
    zero = _y(-low / span)
    bars = [
        tag(
            "rect",
            class_="number-bar",
            x=f"{place * (number + (1 - _BAR) / 2):.4g}",
            width=f"{place * _BAR:.4g}",
            y=f"{min(zero, _y((value - low) / span)):.4g}",
            height=f"{abs(zero - _y((value - low) / span)):.4g}",
        )
        for number, value in enumerate(finite)
    ]
    ground = tag("line", class_="ground", x1=0, x2=_WIDTH, y1=f"{zero:.4g}", y2=f"{zero:.4g}")
    return _stretched(description, *bars, ground)


def _y(value: float) -> float:
    """Return the height of a value from 0 to 1."""
    return _EDGE + (_HEIGHT - 2 * _EDGE) * (1 - value)


def _stretched(description: str, *shapes: Markup) -> Markup:
    fitted = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "preserveAspectRatio": "none"}
    return tag("svg", *shapes, class_="plot sample", role="img", aria_label=description, **fitted)

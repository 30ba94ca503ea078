"""Draw the bytes of a file as a squarified treemap (Bruls, Huizing, van Wijk 2000)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from litegate.core.escaping import plain
from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import share, tag
from litegate.report.html.page_data import SizeShare
from litegate.report.row_text import short_name

_SHAPE = 2.8
"""Width divided by height, at which squares look square: that of a window of about 1,000 pixels.

style.css gives `.treemap` the whole width and a height of 34 % of the window's, from 12 to 21 rem:
the shape is 1.6 on a phone and 3.4 on a wide desktop, where squares look high or wide. The areas
stay right. Labels that do not fit are hidden by style.css, which alone knows the size."""


class Box(NamedTuple):
    """A rectangle of the treemap; the whole has height 1."""

    x: float
    y: float
    width: float
    height: float


def treemap(size_shares: Sequence[SizeShare]) -> Markup:
    """Draw the size shares, given the largest first, each with its name and bytes."""
    boxes = squarified([size_share.bytes for size_share in size_shares], Box(0.0, 0.0, _SHAPE, 1.0))
    items = (_item(size_share, box) for size_share, box in zip(size_shares, boxes, strict=True))
    description = "Bytes of the file by part; the table says the same in numbers"
    return tag("ul", *items, class_="plot treemap", aria_label=description)


def _item(size_share: SizeShare, box: Box) -> Markup:
    size = text(size_share.bytes, Unit.BYTES)
    title = ", ".join(filter(None, (size_share.name, size_share.operator, size)))
    position = {
        "left": box.x / _SHAPE,
        "top": box.y,
        "width": box.width / _SHAPE,
        "height": box.height,
    }
    style = ";".join(f"{side}:{share(length)}" for side, length in position.items())
    label = (tag("b", short_name(size_share.name)), " ", tag("span", size))
    return tag("li", *label, class_=size_share.kind, style=style, title=plain(title))


def squarified(sizes: Sequence[float], whole: Box) -> list[Box]:
    """Divide a rectangle into one per size, in proportion; sizes are positive, largest first."""
    scale = whole.width * whole.height / (sum(sizes) or 1)
    areas = [size * scale for size in sizes]
    boxes: list[Box] = []
    while areas:
        count = _row_length(areas, min(whole.width, whole.height))
        boxes += _placed(areas[:count], whole)
        whole = _remaining(sum(areas[:count]), whole)
        areas = areas[count:]
    return boxes


def _row_length(areas: Sequence[float], side: float) -> int:
    """Return how many areas to put along a side so that the worst is nearest to a square."""
    count = 1
    while count < len(areas) and _worst_aspect(areas[: count + 1], side) <= _worst_aspect(
        areas[:count], side
    ):
        count += 1
    return count


def _worst_aspect(areas: Sequence[float], side: float) -> float:
    depth = sum(areas) / side
    return max(max(depth**2 / area, area / depth**2) for area in areas)


def _placed(areas: Sequence[float], whole: Box) -> Iterator[Box]:
    is_wide = whole.width >= whole.height
    depth = sum(areas) / (whole.height if is_wide else whole.width)
    offset = 0.0
    for area in areas:
        length = area / depth
        if is_wide:
            yield Box(whole.x, whole.y + offset, depth, length)
        else:
            yield Box(whole.x + offset, whole.y, length, depth)
        offset += length


_LEAST_SIDE = 1e-9
"""Of what remains: rounding may leave nothing for the last areas, which are divided by it."""


def _remaining(area: float, whole: Box) -> Box:
    if whole.width >= whole.height:
        depth = area / whole.height
        return Box(whole.x + depth, whole.y, max(whole.width - depth, _LEAST_SIDE), whole.height)
    depth = area / whole.width
    return Box(whole.x, whole.y + depth, whole.width, max(whole.height - depth, _LEAST_SIDE))

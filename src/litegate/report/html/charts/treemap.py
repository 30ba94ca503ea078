"""Bytes by part, as rectangles whose areas are the bytes: squarified, after Bruls et al. (2000)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from litegate.core.escaping import plain
from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import share, tag
from litegate.report.html.page_data import Part

_SHAPE = 2.8
"""Width to height of the whole on a desktop; squares are squares there."""
_LEAST_SHOWN = 0.012
"""The least share of the area with room for words; below it the table alone names the part."""


class Box(NamedTuple):
    """A rectangle in shares of the whole."""

    x: float
    y: float
    width: float
    height: float


def treemap(parts: Sequence[Part]) -> Markup:
    """Draw the parts, the largest first; each says its name and bytes."""
    boxes = squarified([part.bytes for part in parts], Box(0.0, 0.0, _SHAPE, 1.0))
    items = (_item(part, box) for part, box in zip(parts, boxes, strict=True))
    said = "Bytes of the file by part; the table says the same in numbers"
    return tag("ul", *items, class_="plot treemap", aria_label=said)


def _item(part: Part, box: Box) -> Markup:
    size = text(part.bytes, Unit.BYTES)
    title = ", ".join(filter(None, (part.name, part.operator, size)))
    place = {
        "left": box.x / _SHAPE,
        "top": box.y,
        "width": box.width / _SHAPE,
        "height": box.height,
    }
    style = ";".join(f"{side}:{share(length)}" for side, length in place.items())
    roomy = box.width * box.height >= _LEAST_SHOWN * _SHAPE
    said = (tag("b", short_name(part.name)), " ", tag("span", size)) if roomy else ()
    return tag("li", *said, class_=part.kind, style=style, title=plain(title))


def short_name(name: str) -> str:
    """The end of a tensor's name that tells it from others: a converter's names are long paths."""
    return "/".join(name.partition(";")[0].split("/")[-2:])


def squarified(sizes: Sequence[float], whole: Box) -> list[Box]:
    """A rectangle for each size above zero, largest first, that fill the whole by area."""
    scale = whole.width * whole.height / (sum(sizes) or 1)
    areas = [size * scale for size in sizes]
    found: list[Box] = []
    while areas:
        row = _row(areas, min(whole.width, whole.height))
        found += _placed(areas[:row], whole)
        whole = _without(sum(areas[:row]), whole)
        areas = areas[row:]
    return found


def _row(areas: Sequence[float], side: float) -> int:
    """How many areas make the row along a side whose worst rectangle is nearest to a square."""
    count = 1
    while count < len(areas) and _worst(areas[: count + 1], side) <= _worst(areas[:count], side):
        count += 1
    return count


def _worst(areas: Sequence[float], side: float) -> float:
    depth = sum(areas) / side
    return max(max(depth**2 / area, area / depth**2) for area in areas)


def _placed(areas: Sequence[float], whole: Box) -> Iterator[Box]:
    upright = whole.width >= whole.height
    depth = sum(areas) / (whole.height if upright else whole.width)
    at = 0.0
    for area in areas:
        length = area / depth
        if upright:
            yield Box(whole.x, whole.y + at, depth, length)
        else:
            yield Box(whole.x + at, whole.y, length, depth)
        at += length


def _without(area: float, whole: Box) -> Box:
    if whole.width >= whole.height:
        depth = area / whole.height
        return Box(whole.x + depth, whole.y, max(whole.width - depth, 1e-9), whole.height)
    depth = area / whole.width
    return Box(whole.x, whole.y + depth, whole.width, max(whole.height - depth, 1e-9))

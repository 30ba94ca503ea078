"""Draw a latency ratio: its epochs in order, and the distributions of both times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import Area, Scale, dot, label, line, plot, share, tag

Row = Mapping[str, Any]
Pairs = list[tuple[float, float]]

_LEAST_EPOCHS = 2
"""With one epoch there is neither a course nor a distribution to draw."""
_EPOCHS_HEIGHT = 130
"""Pixels, chosen by eye, as are the margins, offsets and sizes below: labels have room, and each of
both distributions has half of the height."""
_AREA = Area(left=0.02, right=0.98, top=0.1, bottom=0.92)
_TIMES_HEIGHT, _BINS = 130, 32
"""At most 80 times a side (`paired_test.MOST_REPORTED`): more bins would be mostly empty, fewer
would hide a second mode."""
_PLACES = {"limit": (0.0, -4), "median": (1.0, 13), "no change": (0.0, 13)}
"""Labels of the levels: the end of the line, and the pixels below it."""
_FAR = 1.5
"""A limit beyond this multiple of the largest ratio is named and not drawn: on its scale the epochs
would be a flat line."""


def is_timed(row: Row) -> bool:
    """Return True if a verdict row has the times of both artifacts in enough epochs to draw."""
    return len(_pairs(row)) >= _LEAST_EPOCHS


def _pairs(row: Row) -> Pairs:
    """Return the seconds of candidate and reference in each epoch."""
    series = row.get("series") or {}
    both = zip(series.get("candidate") or (), series.get("reference") or (), strict=False)
    return [
        (candidate, reference) for candidate, reference in both if candidate > 0 and reference > 0
    ]


def _limit(row: Row) -> float:
    """Return the limit as a ratio; a row in percent has the growth over 1."""
    offset = 1.0 if row["unit"] == Unit.PERCENT.value else 0.0
    return float(row["limit"]) + offset


def epochs(row: Row) -> Markup:
    """Draw each epoch's ratio as a dot, in the order of time, against the limit."""
    ratios = [candidate / reference for candidate, reference in _pairs(row)]
    limit, middle = _limit(row), median(ratios)
    levels = {"limit": limit, "median": middle}
    if _is_far(limit, ratios):
        del levels["limit"]
    y_scale = Scale([math.log(ratio) for ratio in (*ratios, *levels.values(), 1.0) if ratio > 0])
    shapes = []
    for number, ratio in enumerate(ratios):
        x, y = _AREA.x(number / (len(ratios) - 1)), _y(y_scale, ratio)
        shapes.append(dot("epoch over" if ratio > limit else "epoch", x, share(y), 3))
    description = f"{len(ratios)} epochs' ratios, median {middle:.3f}, limit {limit:.3f}"
    shapes += _levels(y_scale, {"no change": 1.0} | levels)
    if "limit" not in levels:
        shapes.append(_beside(f"limit {limit:.3f}, far above", 0.0, "0%", 10))
    return plot("epochs", description, *shapes, height=_EPOCHS_HEIGHT)


def _is_far(limit: float, ratios: Sequence[float]) -> bool:
    """Return True if a limit is so far above that the ratios would look like one line."""
    return limit > _FAR * max(*ratios, 1.0)


def _y(y_scale: Scale, ratio: float) -> float:
    return _AREA.y(y_scale(math.log(ratio)))


def _levels(y_scale: Scale, levels: Mapping[str, float]) -> Iterator[Markup]:
    for name, ratio in levels.items():
        if ratio > 0:
            y = share(_y(y_scale, ratio))
            yield line(f"level {name.replace(' ', '-')}", (0.0, 1.0), (y, y))
            x, dy = _PLACES[name]
            yield _beside(name if ratio == 1 else f"{name} {ratio:.3f}", x, y, dy)


def _beside(content: str, x: float, y: str, dy: int) -> Markup:
    anchor = "start" if x == 0 else "end"
    return tag("text", content, class_="tick", x=share(x), y=y, dy=dy, text_anchor=anchor)


def times(row: Row) -> Markup:
    """Draw the distribution of both artifacts' times, one above the other on one scale."""
    candidate, reference = zip(*_pairs(row), strict=True)
    scale = Scale([math.log(seconds) for seconds in (*candidate, *reference)], room=0.05)
    other = "base" if row.get("base") else "reference"
    shapes = [*_spread("candidate", candidate, "46%", scale)]
    shapes += [*_spread(other, reference, "96%", scale)]
    medians = " against ".join(
        text(median(seconds), Unit.SECONDS) for seconds in (candidate, reference)
    )
    return plot("times", f"Times of both: {medians}", *shapes, height=_TIMES_HEIGHT)


def _spread(role: str, seconds: Sequence[float], ground: str, scale: Scale) -> Iterator[Markup]:
    """Draw a histogram over the logarithm of time, and write the median."""
    counts = [0] * _BINS
    for time in seconds:
        counts[min(_BINS - 1, int(_BINS * scale(math.log(time))))] += 1
    bottom = float(ground.rstrip("%")) / 100
    for number, count in enumerate(counts):
        if count:
            height = 0.3 * count / max(counts)
            place = {"x": share(number / _BINS), "y": share(bottom - height)}
            size = {"width": share(0.9 / _BINS), "height": share(height)}
            yield tag("rect", class_=f"bin {role}", **place, **size)
    yield line("ground", (0.0, 1.0), (ground, ground))
    middle = median(seconds)
    label_text = f"{role} {text(middle, Unit.SECONDS)}"
    yield label("tick", label_text, scale(math.log(middle)), share(bottom - 0.34))

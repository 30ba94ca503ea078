"""A latency ratio as it was measured: its epochs one after the other, and both distributions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.svg import Scale, dot, label, line, plot, share, tag

Row = Mapping[str, Any]
Pairs = list[tuple[float, float]]

_LEAST_EPOCHS = 2
_EPOCHS_HEIGHT, _TOP, _BOTTOM = 130, 0.1, 0.92
_TIMES_HEIGHT, _BINS = 130, 32
_PLACES = {"limit": (0.0, -4), "median": (1.0, 13), "no change": (0.0, 13)}
"""Where a level is named: at which end, and how many pixels below its line."""
_FAR = 1.5
"""Times the largest ratio."""


def is_timed(row: Row) -> bool:
    """Whether a verdict's row carries the times of both artifacts in enough epochs to draw."""
    return len(_pairs(row)) >= _LEAST_EPOCHS


def _pairs(row: Row) -> Pairs:
    """Seconds of candidate and reference in each epoch."""
    series = row.get("series") or {}
    both = zip(series.get("candidate") or (), series.get("reference") or (), strict=False)
    return [(one, other) for one, other in both if one > 0 and other > 0]


def _limit(row: Row) -> float:
    """The limit as a ratio, whether the row is a ratio or the growth over 1."""
    over = 1.0 if row["unit"] == Unit.PERCENT.value else 0.0
    return float(row["limit"]) + over


def epochs(row: Row) -> Markup:
    """Draw each epoch's ratio as a dot, in the order of time, against the limit."""
    ratios = [one / other for one, other in _pairs(row)]
    limit, usual = _limit(row), median(ratios)
    levels = {"limit": limit, "median": usual}
    if _is_far(limit, ratios):
        del levels["limit"]
    up = Scale([math.log(each) for each in (*ratios, *levels.values(), 1.0) if each > 0])
    shapes = []
    for number, ratio in enumerate(ratios):
        x, y = 0.02 + 0.96 * number / (len(ratios) - 1), _y(up, ratio)
        shapes.append(dot("epoch over" if ratio > limit else "epoch", x, share(y), 3))
    said = f"{len(ratios)} epochs' ratios, median {usual:.3f}, limit {limit:.3f}"
    shapes += _levels(up, {"no change": 1.0} | levels)
    if "limit" not in levels:
        shapes.append(_beside(f"limit {limit:.3f}, far above", 0.0, "0%", 10))
    return plot("epochs", said, *shapes, height=_EPOCHS_HEIGHT)


def _is_far(limit: float, ratios: Sequence[float]) -> bool:
    """Whether a limit is so far above that the ratios would lie in one line beside it."""
    return limit > _FAR * max(*ratios, 1.0)


def _y(up: Scale, ratio: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * up(math.log(ratio))


def _levels(up: Scale, levels: Mapping[str, float]) -> Iterator[Markup]:
    for name, ratio in levels.items():
        if ratio > 0:
            y = share(_y(up, ratio))
            yield line(f"level {name.replace(' ', '-')}", (0.0, 1.0), (y, y))
            x, dy = _PLACES[name]
            yield _beside(name if ratio == 1 else f"{name} {ratio:.3f}", x, y, dy)


def _beside(said: str, x: float, y: str, dy: int) -> Markup:
    anchor = "start" if x == 0 else "end"
    return tag("text", said, class_="tick", x=share(x), y=y, dy=dy, text_anchor=anchor)


def times(row: Row) -> Markup:
    """Draw how the times of both artifacts are spread, one above the other on one scale."""
    candidate, reference = zip(*_pairs(row), strict=True)
    scale = Scale([math.log(each) for each in (*candidate, *reference)], room=0.05)
    sides = (("candidate", candidate, "46%"), ("reference", reference, "96%"))
    shapes = [shape for side in sides for shape in _spread(*side, scale)]
    usual = " against ".join(text(median(each), Unit.SECONDS) for each in (candidate, reference))
    return plot("times", f"Times of both: {usual}", *shapes, height=_TIMES_HEIGHT)


def _spread(role: str, seconds: Sequence[float], ground: str, scale: Scale) -> Iterator[Markup]:
    """A histogram over the logarithm of time, and the median in words."""
    counts = [0] * _BINS
    for each in seconds:
        counts[min(_BINS - 1, int(_BINS * scale(math.log(each))))] += 1
    bottom = float(ground.rstrip("%")) / 100
    for number, count in enumerate(counts):
        if count:
            height = 0.3 * count / max(counts)
            place = {"x": share(number / _BINS), "y": share(bottom - height)}
            size = {"width": share(0.9 / _BINS), "height": share(height)}
            yield tag("rect", class_=f"bin {role}", **place, **size)
    yield line("ground", (0.0, 1.0), (ground, ground))
    usual = median(seconds)
    said = f"{role} {text(usual, Unit.SECONDS)}"
    yield label("tick", said, scale(math.log(usual)), share(bottom - 0.34))

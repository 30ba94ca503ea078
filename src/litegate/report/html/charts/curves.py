"""Draw training curves: a score over the epochs, on the training and the evaluation split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup

from litegate.report.html.charts.svg import (
    Area,
    Scale,
    dot,
    gridline,
    label,
    line,
    plot,
    polyline,
    rounded,
    share,
    thinned,
    words,
)
from litegate.report.html.page_data import Epoch

_HEIGHT = 150
"""Pixels, chosen by eye, as are the margins, offsets and radii below: labels have room, and dots of
neighbouring epochs do not touch."""
_AREA = Area(left=0.09, right=0.98, top=0.12, bottom=0.86)
_MOST_POINTS = 100
"""Of a curve: trades detail against the page's bytes; a phone's width shows no more."""
_MOST_DOTTED = 12
"""Epochs up to which each has a dot; with more, the dots would hide the line."""

Points = list[tuple[int, float]]


def curves(score: str, sides: Sequence[tuple[str, Sequence[Epoch]]]) -> Markup:
    """Draw "accuracy" or "loss" of each artifact, given by role; empty if none has the score.

    Keras names the score on the evaluation split "val_...".
    """
    lines = [
        (f"{role} {split}", points)
        for role, epochs in sides
        for split, key in (("train", score), ("evaluation", f"val_{score}"))
        if (points := _points(epochs, key))
    ]
    if not lines:
        return Markup("")
    values = [value for _, points in lines for _, value in points]
    last = max(number for _, points in lines for number, _ in points)
    scale = Scale(values, room=0.04)
    drawn = [_curve(class_, points, scale, last) for class_, points in lines]
    ends = (min(values), max(values))
    description = f"{score} over {last} epochs, from {ends[0]:.4g} to {ends[1]:.4g}"
    stages = _stages(sides[-1][1], last)
    return plot(
        "curves", description, *drawn, *stages, *_frame(values, scale, last), height=_HEIGHT
    )


def _points(epochs: Sequence[Epoch], key: str) -> Points:
    points = [(epoch.number, epoch.scores[key]) for epoch in epochs if key in epoch.scores]
    indices = thinned(range(len(points)), _MOST_POINTS)
    return [points[int(index)] for index in indices]


def _x(number: int, last: int) -> float:
    return 0.5 if last == 1 else _AREA.x((number - 1) / (last - 1))


def _frame(values: list[float], scale: Scale, last: int) -> Iterator[Markup]:
    for value in rounded(values):
        yield gridline(f"{value:.3g}", _AREA.y(scale(value)))
    for number in dict.fromkeys((1, last)):
        yield label("tick", f"epoch {number}", _x(number, last), "98%")


def _stages(epochs: Sequence[Epoch], last: int) -> Iterator[Markup]:
    """Draw a line at each change of the candidate's training stage."""
    for before, after in pairwise(epochs):
        if before.stage != after.stage:
            x = (_x(before.number, last) + _x(after.number, last)) / 2
            yield line("stage", (x, x), (share(_AREA.top), share(_AREA.bottom)))
            yield label("tick", after.stage, x, share(_AREA.top - 0.03))


def _curve(class_: str, points: Points, scale: Scale, last: int) -> Markup:
    """Draw a line, and dots, which would be stretched in the line's SVG."""
    positions = [(_x(number, last), _AREA.y(scale(value))) for number, value in points]
    dots = [dot(f"spot {class_}", x, share(y), 3) for x, y in positions]
    drawn_line = polyline(f"curve {class_}", positions)
    return words(drawn_line, *(dots if last <= _MOST_DOTTED else dots[-1:]))

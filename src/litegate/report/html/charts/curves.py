"""Training curves: a score over the epochs, on the training and on the evaluation split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup

from litegate.report.html.charts.svg import (
    Scale,
    label,
    line,
    plot,
    rounded,
    share,
    tag,
    thinned,
    words,
)
from litegate.report.html.page_data import Epoch

_HEIGHT, _TOP, _BOTTOM, _LEFT = 150, 0.12, 0.86, 0.09
_MOST_POINTS = 100
_DOTTED = 12
"""Up to so many epochs, each has a dot."""

Points = list[tuple[int, float]]


def curves(score: str, sides: Sequence[tuple[str, Sequence[Epoch]]]) -> Markup:
    """Draw "accuracy" or "loss" of each side, by role; empty where no side has any.

    That of the evaluation split is called "val_..." in a history.
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
    said = f"{score} over {last} epochs, from {ends[0]:.4g} to {ends[1]:.4g}"
    stages = _stages(sides[-1][1], last)
    return plot("curves", said, *drawn, *stages, *_frame(values, scale, last), height=_HEIGHT)


def _points(epochs: Sequence[Epoch], key: str) -> Points:
    found = [(each.number, each.scores[key]) for each in epochs if key in each.scores]
    kept = thinned(range(len(found)), _MOST_POINTS)
    return [found[int(number)] for number in kept]


def _x(number: int, last: int) -> float:
    return 0.5 if last == 1 else _LEFT + (0.98 - _LEFT) * (number - 1) / (last - 1)


def _y(value: float, scale: Scale) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * scale(value)


def _frame(values: list[float], scale: Scale, last: int) -> Iterator[Markup]:
    for value in rounded(values):
        y = share(_y(value, scale))
        yield tag("line", class_="ground", x1="0", x2="100%", y1=y, y2=y)
        yield tag("text", f"{value:.3g}", class_="tick", x="0", y=y, dy=-3)
    for number in dict.fromkeys((1, last)):
        yield label("tick", f"epoch {number}", _x(number, last), "98%")


def _stages(epochs: Sequence[Epoch], last: int) -> Iterator[Markup]:
    """A line where the candidate's training goes on in another way."""
    for before, after in pairwise(epochs):
        if before.stage != after.stage:
            x = (_x(before.number, last) + _x(after.number, last)) / 2
            yield line("stage", (x, x), (share(_TOP), share(_BOTTOM)))
            yield label("tick", after.stage, x, share(_TOP - 0.03))


def _curve(class_: str, points: Points, scale: Scale, last: int) -> Markup:
    """The line in a picture of its own that may be stretched, its dots in one that is not."""
    spots = [(_x(number, last), _y(value, scale)) for number, value in points]
    listed = " ".join(f"{100 * x:.4g},{100 * y:.4g}" for x, y in spots)
    path = tag("polyline", class_=f"curve {class_}", points=listed)
    stretched = {"viewBox": "0 0 100 100", "preserveAspectRatio": "none"}
    drawn = tag("svg", path, width="100%", height="100%", **stretched)
    dots = [tag("circle", class_=f"spot {class_}", cx=share(x), cy=share(y), r=3) for x, y in spots]
    return words(drawn, *(dots if last <= _DOTTED else dots[-1:]))

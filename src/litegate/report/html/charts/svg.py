"""Build SVG markup: every value is escaped, every length is a share of the width.

Shares instead of pixels let one plot fit a phone and a desktop without a script, and keep text and
dots undistorted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from markupsafe import Markup, escape

from litegate.core.escaping import plain, shortened

EDGE_LEFT, EDGE_RIGHT = 22.0, 78.0
"""Percent of the width: a label beyond them grows towards the middle. Between them it is centred,
and 44 % of the width is room enough for any on a phone."""
_LONGEST = 200
"""Characters of a text: longer than real names of classes, recipes and tensors, so that only a
stranger's is cut, and short enough not to fill the page."""
_LONGEST_DESCRIPTION = 400
"""Characters of a plot's description, which a screen reader reads aloud: a sentence or two."""
_FUZZ = 1e-9
"""Rounding error of floats, as a share of a step on an axis: far above 2e-16, and far below what an
eye sees."""
_MOST_TICKS = 4
"""Numbers on an axis, few enough for a narrow page."""
_LEAST_SPAN = 1e-9
"""Span of a scale whose only value is 0: any, but not 0, which values are divided by."""

_ROOM = 0.14
"""Share of the span at both ends of a scale: a label at an end begins inside the plot. Chosen by
eye."""
_RADIUS = 5
"""Pixels of a dot: large enough for its colour to be told."""


def tag(name: str, *inside: Markup | str, **attributes: str | float) -> Markup:
    """Make an element; the attribute `class_` becomes class, and underscores become dashes."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{written}>{words(*inside)}</{name}>")  # noqa: S704 escaped above


def words(*parts: Markup | str) -> Markup:
    """Join markup and texts; texts are escaped, and invisible characters made visible."""
    return Markup("".join(map(_escaped, parts)))  # noqa: S704 escaped there


def _escaped(part: Markup | str) -> Markup:
    return part if isinstance(part, Markup) else escape(plain(shortened(part, _LONGEST)))


def plot(kind: str, description: str, *shapes: Markup, height: int, **attributes: str) -> Markup:
    """Make a plot of full width; `description` is its alternative text."""
    return tag(
        "svg",
        *shapes,
        class_=f"plot {kind}",
        role="img",
        aria_label=plain(shortened(description, _LONGEST_DESCRIPTION)),
        width="100%",
        height=height,
        **attributes,
    )


def share(number: float) -> str:
    """Format a share as an SVG length: 0.25 is "25%"."""
    return f"{100 * number:.4g}%"


def line(class_: str, xs: tuple[float, float], ys: tuple[float | str, float | str]) -> Markup:
    """Make a straight line; `xs` are shares of the width."""
    x1, x2 = map(share, xs)
    return tag("line", class_=class_, x1=x1, x2=x2, y1=ys[0], y2=ys[1])


def dot(class_: str, x: float, y: float | str, radius: float = _RADIUS) -> Markup:
    """Make a dot; `x` is a share of the width."""
    return tag("circle", class_=class_, cx=share(x), cy=y, r=radius)


def label(class_: str, content: str, x: float, y: float | str) -> Markup:
    """Make a label at a share of the width, anchored so that it stays inside."""
    percent = 100 * x
    anchor = "start" if percent < EDGE_LEFT else "end" if percent > EDGE_RIGHT else "middle"
    return tag("text", content, class_=class_, x=share(x), y=y, text_anchor=anchor)


def gridline(content: str, y: float) -> Markup:
    """Make a line over the whole width at a share of the height, with its value on the left."""
    height = share(y)
    number = tag("text", content, class_="tick", x="0", y=height, dy=-4)
    return words(line("ground", (0.0, 1.0), (height, height)), number)


def polyline(class_: str, positions: Iterable[tuple[float, float]]) -> Markup:
    """Make a line through positions, which are shares of width and height.

    It is an SVG of its own, which is stretched: points of a line cannot be shares.
    """
    points = " ".join(f"{100 * x:.4g},{100 * y:.4g}" for x, y in positions)
    path = tag("polyline", class_=class_, points=points)
    stretched = {"viewBox": "0 0 100 100", "preserveAspectRatio": "none"}
    return tag("svg", path, width="100%", height="100%", **stretched)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The part of a plot that values are drawn in, in shares of its width and height."""

    left: float = 0.0
    right: float = 1.0
    top: float
    bottom: float

    def x(self, value: float) -> float:
        """Return the place of a share of the area's width."""
        return self.left + (self.right - self.left) * value

    def y(self, value: float) -> float:
        """Return the place of a share of the area's height; 0 is its bottom."""
        return self.bottom - (self.bottom - self.top) * value


def thinned(values: Sequence[float], most: int) -> list[float]:
    """Return at most `most` of the values, evenly spaced, with the first and the last."""
    if len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(index * step)] for index in range(most)]


def rounded(values: Iterable[float]) -> list[float]:
    """Return an axis's ticks: up to four round numbers, or both ends if only one is round."""
    listed = list(values)
    low, high = min(listed), max(listed)
    if low == high:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / _MOST_TICKS))
    # Steps of 1, 2 and 5, the round ones; 20 times the power always leaves few enough.
    candidates = (_multiples(low, high, power * factor) for factor in (1, 2, 5, 10, 20))
    round_numbers = next(ticks for ticks in candidates if len(ticks) <= _MOST_TICKS)
    return round_numbers if len(round_numbers) > 1 else [low, high]


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - _FUZZ), math.floor(high / step + _FUZZ)
    return [step * number for number in range(first, last + 1)]


class Scale:
    """Maps values to shares of the width, with some room at both ends."""

    def __init__(self, values: Iterable[float], room: float = _ROOM) -> None:
        """Cover at least one value, with `room` at both ends as a share of their span."""
        listed = list(values)
        low, high = min(listed), max(listed)
        span = high - low
        self.low, self.span = low - room * span, (1 + 2 * room) * span
        if not self.span:
            self.span = max(abs(high), _LEAST_SPAN)
            self.low = high - self.span / 2

    def __call__(self, value: float) -> float:
        """Return the share of the width, 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / self.span))

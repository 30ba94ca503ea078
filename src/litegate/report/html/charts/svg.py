"""Markup by function calls: every value is escaped, every length is a share of the width.

Shares instead of pixels let one plot fit a phone and a desktop without a script, and keep text and
dots undistorted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from litegate.core.escaping import plain, shortened

EDGE_LEFT, EDGE_RIGHT = 22.0, 78.0
"""Percent of the width: a label beyond them is written towards the middle."""
_LONGEST = 200
_FUZZ = 1e-9
"""Of a step on an axis: what floats may be off."""
_MOST_NUMBERS = 4
"""On an axis."""
_LEAST_SPAN = 1e-9
"""Of a scale on which there is one value alone."""


def tag(name: str, *inside: Markup | str, **attributes: str | float) -> Markup:
    """An element; `class_` is written as class, and an underscore as a dash."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{written}>{words(*inside)}</{name}>")  # noqa: S704 escaped above


def words(*parts: Markup | str) -> Markup:
    """The parts in a row; what is no markup yet stays text, and shows what cannot be seen."""
    return Markup("".join(map(_escaped, parts)))  # noqa: S704 escaped there


def _escaped(part: Markup | str) -> Markup:
    return part if isinstance(part, Markup) else escape(plain(shortened(part, _LONGEST)))


def plot(kind: str, said: str, *shapes: Markup, height: int, **attributes: str) -> Markup:
    """A plot of full width; `said` is what it shows, in words."""
    return tag(
        "svg",
        *shapes,
        class_=f"plot {kind}",
        role="img",
        aria_label=plain(shortened(said, 400)),
        width="100%",
        height=height,
        **attributes,
    )


def share(number: float) -> str:
    """A length as a share of the whole, in percent: 0.25 is "25%"."""
    return f"{100 * number:.4g}%"


def line(class_: str, xs: tuple[float, float], ys: tuple[float | str, float | str]) -> Markup:
    """A straight line; `xs` are shares of the width."""
    x1, x2 = map(share, xs)
    return tag("line", class_=class_, x1=x1, x2=x2, y1=ys[0], y2=ys[1])


def dot(class_: str, x: float, y: float | str, radius: float = 5) -> Markup:
    """A dot at a share of the width."""
    return tag("circle", class_=class_, cx=share(x), cy=y, r=radius)


def label(class_: str, said: str, x: float, y: float | str) -> Markup:
    """Text at a share of the width, written so that it stays inside."""
    at = 100 * x
    anchor = "start" if at < EDGE_LEFT else "end" if at > EDGE_RIGHT else "middle"
    return tag("text", said, class_=class_, x=share(x), y=y, text_anchor=anchor)


def thinned(values: Sequence[float], most: int) -> list[float]:
    """At most so many of the values, evenly, with the first and the last."""
    if len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(number * step)] for number in range(most)]


def rounded(values: Iterable[float]) -> list[float]:
    """Where to write numbers on an axis: up to four round ones, or both ends if one is all."""
    seen = list(values)
    low, high = min(seen), max(seen)
    if low == high:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / _MOST_NUMBERS))
    steps = (_multiples(low, high, power * each) for each in (1, 2, 5, 10, 20))
    found = next(one for one in steps if len(one) <= _MOST_NUMBERS)
    return found if len(found) > 1 else [low, high]


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - _FUZZ), math.floor(high / step + _FUZZ)
    return [step * number for number in range(first, last + 1)]


class Scale:
    """From values to shares of the width, with some room at both ends."""

    def __init__(self, values: Iterable[float], room: float = 0.14) -> None:
        """The values that must be seen; at least one."""
        seen = list(values)
        low, high = min(seen), max(seen)
        span = high - low
        self.low, self.span = low - room * span, (1 + 2 * room) * span
        if not self.span:
            self.span = max(abs(high), _LEAST_SPAN)
            self.low = high - self.span / 2

    def __call__(self, value: float) -> float:
        """The share of the width, 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / self.span))

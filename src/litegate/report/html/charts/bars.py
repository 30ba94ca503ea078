"""A quantity as a bar: what grew to the right and what shrank to the left; an error as a share."""

from __future__ import annotations

from markupsafe import Markup

from litegate.report.html.charts.svg import plot, share, tag
from litegate.report.html.page_data import LayerDifference


def bar(value: float, most: float, said: str) -> Markup:
    """Draw a value whose size is at most `most`, from the middle."""
    length = abs(value) / (2 * most or 1)
    x, word = (0.5, "worse") if value >= 0 else (0.5 - length, "better")
    return plot(
        "bar",
        said,
        tag("line", class_="ground", x1="50%", x2="50%", y1=0, y2=18),
        tag("rect", class_=word, x=share(x), width=share(max(length, 0.004)), y=3, height=12),
        height=18,
    )


def layer_bar(one: LayerDifference, most: float, *, alarming: bool) -> Markup:
    """Draw how far a layer is from its reference; the whole width is `most`, at most 1.

    The one that diverges is red where that is `alarming`: where a promise is broken.
    """
    whole = min(1.0, most) or 1.0
    return plot(
        "bar",
        f"{one.name}: {one.sqnr}",
        tag("line", class_="ground", x1="0", x2="0", y1=0, y2=18),
        tag(
            "rect",
            class_="worse" if alarming and one.diverges else "error",
            x="0",
            width=share(min(1.0, max(one.difference / whole, 0.004))),
            y=3,
            height=12,
        ),
        height=18,
    )

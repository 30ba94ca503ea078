"""What grew and what shrank, as bars to the right and to the left."""

from __future__ import annotations

from markupsafe import Markup

from litegate.reports.html.charts.svg import plot, share, tag


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

"""Draw a sample for the flip sheet."""

from __future__ import annotations

from base64 import b64encode

from markupsafe import Markup

from litegate.report.html.charts.svg import tag
from litegate.report.html.page_data import Image, Numbers, Picture, Wave


def sample(picture: Picture, description: str) -> Markup:
    """Draw a sample; `description` is its alternative text."""
    match picture:
        case Image(png=png, width=width, height=height):
            source = "data:image/png;base64," + b64encode(png).decode()
            return Markup(
                '<img class="plot sample" src="{}" alt="{}" width="{}" height="{}">'
            ).format(source, description, width, height)
        case Wave(values=values):
            return _wave(values, description)
        case Numbers(values=values, left_out=left_out):
            listed = ", ".join(f"{value:.4g}" for value in values)
            more = f" and {left_out} more" if left_out else ""
            return tag("code", f"{listed}{more}", class_="plot sample")


def _wave(values: tuple[float, ...], description: str) -> Markup:
    last = max(1, len(values) - 1)
    # Of 48 units of height, two at both ends are room for the line's own width.
    points = " ".join(
        f"{100 * number / last:.3g},{2 + 44 * (1 - value):.3g}"
        for number, value in enumerate(values)
    )
    shape = tag("polyline", class_="curve wave", points=points)
    fitted = {"viewBox": "0 0 100 48", "preserveAspectRatio": "none"}
    return tag("svg", shape, class_="plot sample", role="img", aria_label=description, **fitted)

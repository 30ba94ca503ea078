"""Draw all recipes of a model by merit and cost, with their Pareto front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.merit import Merit, Row, merit
from litegate.report.html.charts.svg import (
    Area,
    Scale,
    dot,
    gridline,
    line,
    plot,
    rounded,
    share,
    tag,
)

_HEIGHT = 220
"""Pixels, chosen by eye, as are the margins, offsets and radii below: labels have room."""
_AREA = Area(left=0.16, top=0.06, bottom=0.86)
_EDGE = 0.93
"""Share of the width: the label of a cost beyond it grows towards the middle."""
_NEAR = 0.06
"""Share of width and height: dots nearer than this share a label, as two would overlap."""
COSTS = {"bytes": Unit.BYTES, "latency": Unit.SECONDS}
"""Costs of a recipe and their units; smaller is better."""


def unbeaten(rows: Sequence[Row]) -> list[str]:
    """Return the recipes on the Pareto front of merit and every cost that all rows have."""
    shared = merit(rows)
    if not shared:
        return []
    costs = [[-row[cost] for row in rows] for cost in COSTS if _all_have(rows, cost)]
    scores = list(zip(shared.worth, *costs, strict=True))
    return [
        row["recipe"]
        for row, score in zip(rows, scores, strict=True)
        if not any(
            rival != score and all(theirs >= own for theirs, own in zip(rival, score, strict=True))
            for rival in scores
        )
    ]


def _all_have(rows: Sequence[Row], key: str) -> bool:
    return all(row.get(key) is not None for row in rows)


def pareto(rows: Sequence[Row], cost: str, nouns: str = "recipes") -> Markup:
    """Draw a report's recipe rows, numbered from 1 as in the table beside the chart.

    `cost` is one of `COSTS`. Empty if the rows do not all have a merit and that cost.
    """
    shared = merit(rows)
    if not (shared and _all_have(rows, cost)):
        return Markup()
    x_scale, y_scale = Scale([row[cost] for row in rows], 0.1), Scale(shared.worth, 0.12)
    scored_rows = zip(rows, shared.worth, strict=True)
    positions = [
        (_AREA.x(x_scale(row[cost])), _AREA.y(y_scale(score))) for row, score in scored_rows
    ]
    shapes = [*_frame([row[cost] for row in rows], cost, x_scale), *_levels(shared, y_scale)]
    shapes += _frontier(positions)
    for row, (x, y) in zip(rows, positions, strict=True):
        shapes.append(dot(f"recipe {row['role']}", x, share(y), 6))
    shapes += _numbers(positions)
    name = shared.name.capitalize() if shared.name == "accuracy" else shared.name
    description = f"{name} over {cost} of {len(rows)} {nouns}; the table says the same in numbers"
    return plot("pareto", description, *shapes, height=_HEIGHT)


def repair_rows(repair: Row) -> list[Row]:
    """Return the sets of layers of a repair as rows for `pareto`."""
    return [
        {
            "recipe": ", ".join(row["layers"]),
            "role": "gated" if row["declared"] else "shown",
            "metrics": {row["measurement"]: row},
            **{cost: row[cost] for cost in COSTS},
        }
        for row in repair["sets"]
    ]


def _levels(shared: Merit, y_scale: Scale) -> Iterator[Markup]:
    """Draw lines at round values of the merit."""
    for value in rounded(shared.values):
        y = _AREA.y(y_scale(value if shared.higher else -value))
        yield gridline(text(value, shared.unit), y)


def _frame(costs: Sequence[float], cost: str, x_scale: Scale) -> Iterator[Markup]:
    """Draw lines at round costs."""
    for tick in rounded(costs):
        x = _AREA.x(x_scale(tick))
        yield line("ground", (x, x), (share(_AREA.top), share(_AREA.bottom)))
        anchor = "end" if x > _EDGE else "middle"
        tick_text = text(tick, COSTS[cost])
        yield tag("text", tick_text, class_="tick", x=share(x), y="96%", text_anchor=anchor)


def _frontier(positions: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """Draw steps through the recipes on the Pareto front."""
    best, corner = 2.0, None  # below every chart: y is at most 1
    for x, y in sorted(positions):
        if y >= best:
            continue
        if corner:
            yield line("frontier", (corner[0], x), (share(corner[1]), share(corner[1])))
            yield line("frontier", (x, x), (share(corner[1]), share(y)))
        best, corner = y, (x, y)


def _numbers(positions: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """Write each recipe's number above its dot; dots that touch share a label."""
    labels: dict[tuple[float, float], list[int]] = {}
    for number, (x, y) in enumerate(positions, start=1):
        near_labels = (
            place for place in labels if abs(place[0] - x) < _NEAR and abs(place[1] - y) < _NEAR
        )
        labels.setdefault(next(near_labels, (x, y)), []).append(number)
    for (x, y), numbers in labels.items():
        label_text = ", ".join(map(str, numbers))
        yield tag(
            "text", label_text, class_="name", x=share(x), y=share(y), dy=-11, text_anchor="middle"
        )

"""All recipes of a model: merit over a cost, with the line that none of them is better than."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from litegate.core.units import Unit, text
from litegate.report.html.charts.merit import Merit, Row, merit
from litegate.report.html.charts.svg import Scale, dot, line, plot, rounded, share, tag

_HEIGHT, _TOP, _BOTTOM, _LEFT = 220, 0.06, 0.86, 0.16
_EDGE = 0.93
"""Of the width: a cost beyond it is written towards the middle."""
_NEAR = 0.06
"""Of the width or height: nearer dots share a label."""


COSTS = {"bytes": Unit.BYTES, "latency": Unit.SECONDS}
"""What a recipe takes, with its unit; the less, the better."""


def unbeaten(rows: Sequence[Row]) -> list[str]:
    """The recipes that no other one equals in merit and every known cost, and betters in one."""
    found = merit(rows)
    if not found:
        return []
    costs = [[-row[cost] for row in rows] for cost in COSTS if _all_have(rows, cost)]
    merits = list(zip(found.worth, *costs, strict=True))
    return [
        row["recipe"]
        for row, mine in zip(rows, merits, strict=True)
        if not any(
            other != mine and all(o >= m for o, m in zip(other, mine, strict=True))
            for other in merits
        )
    ]


def _all_have(rows: Sequence[Row], key: str) -> bool:
    return all(row.get(key) is not None for row in rows)


def pareto(rows: Sequence[Row], cost: str) -> Markup:
    """Draw the recipes' rows of a report, numbered from 1 as the table beside it numbers them.

    `cost` is one of `COSTS`; the better, the higher. Empty where the rows have no merit in common,
    or not that cost.
    """
    found = merit(rows)
    if not (found and _all_have(rows, cost)):
        return Markup()
    across, up = Scale([r[cost] for r in rows], 0.1), Scale(found.worth, 0.12)
    worth = zip(rows, found.worth, strict=True)
    spots = [(_x(across(row[cost])), _y(up(score))) for row, score in worth]
    shapes = [*_frame([row[cost] for row in rows], cost, across), *_levels(found, up)]
    shapes += _frontier(spots)
    for row, (x, y) in zip(rows, spots, strict=True):
        shapes.append(dot(f"recipe {row['role']}", x, share(y), 6))
    shapes += _numbers(spots)
    name = found.name.capitalize() if found.name == "accuracy" else found.name
    said = f"{name} over {cost} of {len(rows)} recipes; the table says the same in numbers"
    return plot("pareto", said, *shapes, height=_HEIGHT)


def _x(across: float) -> float:
    return _LEFT + (1 - _LEFT) * across


def _y(up: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * up


def _levels(found: Merit, up: Scale) -> Iterator[Markup]:
    """Lines at round values of the merit."""
    for value in rounded(found.values):
        y = share(_y(up(value if found.higher else -value)))
        yield tag("line", class_="ground", x1="0", x2="100%", y1=y, y2=y)
        yield tag("text", text(value, found.unit), class_="tick", x="0", y=y, dy=-4)


def _frame(costs: Sequence[float], cost: str, across: Scale) -> Iterator[Markup]:
    """Lines at round costs."""
    for one in rounded(costs):
        x = _x(across(one))
        yield line("ground", (x, x), (share(_TOP), share(_BOTTOM)))
        anchor = "end" if x > _EDGE else "middle"
        said = text(one, COSTS[cost])
        yield tag("text", said, class_="tick", x=share(x), y="96%", text_anchor=anchor)


def _frontier(spots: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """Steps through the recipes that no other is both smaller and better than."""
    best, corner = 2.0, None
    for x, y in sorted(spots):
        if y >= best:
            continue
        if corner:
            yield line("frontier", (corner[0], x), (share(corner[1]), share(corner[1])))
            yield line("frontier", (x, x), (share(corner[1]), share(y)))
        best, corner = y, (x, y)


def _numbers(spots: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """The recipes' numbers above their dots; those of dots that touch stand together."""
    together: dict[tuple[float, float], list[int]] = {}
    for number, (x, y) in enumerate(spots, start=1):
        near = (one for one in together if abs(one[0] - x) < _NEAR and abs(one[1] - y) < _NEAR)
        together.setdefault(next(near, (x, y)), []).append(number)
    for (x, y), numbers in together.items():
        said = ", ".join(map(str, numbers))
        yield tag("text", said, class_="name", x=share(x), y=share(y), dy=-11, text_anchor="middle")

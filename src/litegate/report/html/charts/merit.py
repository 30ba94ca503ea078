"""What recipes of a model are worth: their accuracy, or a metric where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.units import Unit

Row = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Merit:
    """One figure of every recipe by which they are compared."""

    name: str
    """`accuracy`, or the metric's name."""
    unit: Unit
    values: tuple[float, ...]
    """One a recipe, in the metric's unit."""
    higher: bool = True
    """Whether more is better."""

    @property
    def worth(self) -> tuple[float, ...]:
        """The values such that more is better."""
        return self.values if self.higher else tuple(-value for value in self.values)


def merit(rows: Sequence[Row]) -> Merit | None:
    """The accuracy where every row of a report has one, else the first metric of all; or None."""
    scores = [row.get("accuracy") for row in rows]
    if found := _all(scores):
        return Merit(name="accuracy", unit=Unit.PERCENT, values=found)
    metrics = [row.get("metrics") or {} for row in rows]
    for name, first in metrics[0].items() if metrics else ():
        values = _all([one.get(name, {}).get("value") for one in metrics])
        if values and "better" in first:
            unit, higher = Unit(first["unit"]), first["better"] == "higher"
            return Merit(name=name, unit=unit, values=values, higher=higher)
    return None


def _all(values: Sequence[float | None]) -> tuple[float, ...]:
    """The values, or none where one is missing."""
    found = tuple(value for value in values if value is not None)
    return found if len(found) == len(values) else ()

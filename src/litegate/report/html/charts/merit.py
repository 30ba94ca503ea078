"""Choose the figure by which a model's recipes are ranked: accuracy, else a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.units import Unit

Row = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Merit:
    """A figure that every recipe of a model has, and by which they are ranked."""

    name: str
    """`accuracy`, or the metric's name."""
    unit: Unit
    values: tuple[float, ...]
    """One value per recipe, in the metric's unit."""
    higher: bool = True
    """True if a larger value is better."""

    @property
    def worth(self) -> tuple[float, ...]:
        """The values, negated if a smaller one is better: larger is always better."""
        return self.values if self.higher else tuple(-value for value in self.values)


def merit(rows: Sequence[Row]) -> Merit | None:
    """Return the accuracy if every row has one, else the first metric that all have, or None."""
    scores = [row.get("accuracy") for row in rows]
    if accuracies := _complete(scores):
        return Merit(name="accuracy", unit=Unit.PERCENT, values=accuracies)
    metrics = [row.get("metrics") or {} for row in rows]
    for name, first in metrics[0].items() if metrics else ():
        values = _complete([metric_values.get(name, {}).get("value") for metric_values in metrics])
        if values and "better" in first:
            unit, higher = Unit(first["unit"]), first["better"] == "higher"
            return Merit(name=name, unit=unit, values=values, higher=higher)
    return None


def _complete(values: Sequence[float | None]) -> tuple[float, ...]:
    """Return the values; empty if one is missing."""
    present = tuple(value for value in values if value is not None)
    return present if len(present) == len(values) else ()

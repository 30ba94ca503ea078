"""Note gains that need an explanation: quantizing and most changes lose accuracy or keep it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from litegate.core.units import Unit, text
from litegate.measures.accuracy import accuracy_drop
from litegate.measures.accuracy.decisions import chooses
from litegate.measures.names import Name, loss_name, regression_name, since_anchor_name
from litegate.spec import Artifact
from litegate.spec.metric import Metric

_OVER_REFERENCE = "what did it learn that the reference did not?"
_OVER_BASE = "did data, labels or preprocessing change?"


def reference_gain_notes(reference: Artifact, candidate: Artifact) -> tuple[str, ...]:
    """Return a note if a candidate's top-1 beats its fair reference's beyond chance.

    Both saw the same batches equally often. Raises as `accuracy_drop`.
    """
    if not chooses(candidate):
        return ()
    drop = accuracy_drop(reference, candidate)
    high = drop.interval.high if drop.interval else drop.value
    if high >= 0:
        return ()
    return (_sentence("accuracy", "reference", float(drop.value), float(high), drop.unit),)


def gain_notes(
    rows: Iterable[Mapping[str, Any]], metrics: Iterable[Metric], same_data: Collection[str] = ()
) -> Iterator[str]:
    """Yield a note for each verdict on a loss that was a gain beyond chance.

    Of the base and the anchor these are losses of accuracy and of metrics, of the reference those
    of metrics. A gain fails no limit, so labels that were permuted in both splits would go unseen.
    A gain over a side in `same_data` ("base", "anchor") is an improvement and needs no note.
    """
    sides = {Name.ACCURACY_REGRESSION: ("accuracy", "base")}
    for metric in metrics:
        sides[loss_name(metric)] = (metric.name, "reference")
        sides[regression_name(metric)] = (metric.name, "base")
    sides |= {
        since_anchor_name(name): (quantity, "anchor")
        for name, (quantity, side) in sides.items()
        if side == "base"
    }
    for row in rows:
        if row["measurement"] in sides and row["interval"] and row["interval"]["high"] < 0:
            quantity, side = sides[row["measurement"]]
            if side in same_data:
                continue
            yield _sentence(
                quantity, side, row["value"], row["interval"]["high"], Unit(row["unit"])
            )


def _sentence(quantity: str, side: str, loss: float, high: float, unit: Unit) -> str:
    question = _OVER_REFERENCE if side == "reference" else _OVER_BASE
    gain, least = text(-loss, unit), text(-high, unit)
    return (
        f"its {quantity} is better than the {side}'s by {gain} (at least {least} with 95 %"
        f" confidence): {question}"
    )

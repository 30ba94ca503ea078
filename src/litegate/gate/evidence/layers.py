"""How far each layer of a candidate is from its reference."""

from __future__ import annotations

import math

from litegate.measures.accuracy.layer_error import decibels, first_diverging, layer_errors
from litegate.report.html.page_data import LayerDifference
from litegate.spec import Artifact

MOST_SHOWN = 40
"""Of more layers, those that differ most are shown."""


def layers(reference: Artifact, candidate: Artifact) -> tuple[LayerDifference, ...]:
    """The layers that both files have, in the candidate's order; none where nothing differs.

    Raises as `layer_errors` does.
    """
    errors = layer_errors(reference, candidate)
    if all(one.sqnr == math.inf for one in errors):
        return ()
    first = first_diverging(errors)
    kept = sorted(errors, key=lambda one: (one is not first, one.sqnr))[:MOST_SHOWN]
    return tuple(
        LayerDifference(
            name=one.name,
            operator=one.operator,
            sqnr=decibels(one.sqnr),
            difference=one.relative_rms,
            diverges=one is first,
        )
        for one in sorted(kept, key=lambda one: one.index)
    )

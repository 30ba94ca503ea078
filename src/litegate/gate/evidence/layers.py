"""Compute each layer's difference between a candidate and its reference."""

from __future__ import annotations

import math

from litegate.measures.accuracy.layer_error import decibels, first_diverging, layer_errors
from litegate.report.html.page_data import LayerDifference
from litegate.spec import Artifact

MOST_SHOWN = 40
"""With more layers, those that differ most are shown.

The number is a choice: whoever looks for the layer that spoils the answers finds it among these."""


def layers(reference: Artifact, candidate: Artifact) -> tuple[LayerDifference, ...]:
    """Return the layers that both files have, in the candidate's order; empty if all are equal.

    Raises the errors of `layer_errors`.
    """
    errors = layer_errors(reference, candidate)
    if all(error.sqnr == math.inf for error in errors):
        return ()
    first = first_diverging(errors)
    # The diverging layer first, then the worst, so that the cut drops neither.
    shown = sorted(errors, key=lambda error: (error is not first, error.sqnr))[:MOST_SHOWN]
    return tuple(
        LayerDifference(
            name=error.name,
            operator=error.operator,
            sqnr=decibels(error.sqnr),
            difference=error.relative_rms,
            diverges=error is first,
        )
        for error in sorted(shown, key=lambda error: error.index)
    )

"""Show the samples on which a runtime decides otherwise than XNNPACK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.gate.evidence.pictures import page_bytes, picture_of
from litegate.gate.evidence.predictions import Predictions, predictions
from litegate.report.html.page_data import Disagreement, RuntimeSheet
from litegate.runtimes.inference import has_outputs
from litegate.spec import Artifact, Evaluation

MOST_SHOWN = 12
"""Samples with a picture in one sheet: two rows on a wide screen, four on a phone."""
MOST_BYTES = 30_000
"""For the pictures of one sheet, before compression: 12 gray pictures of 48x48 fit."""


def runtime_sheets(candidate: Artifact, runtimes: Sequence[str]) -> tuple[RuntimeSheet, ...]:
    """Make a sheet for each of these runtimes. Runs nothing.

    Raises MeasurementError if the answers of one are not there, and as `predictions`.
    """
    return tuple(_sheet(candidate, replace(candidate, runtime=name)) for name in runtimes)


def _sheet(candidate: Artifact, elsewhere: Artifact) -> RuntimeSheet:
    if not has_outputs(elsewhere):
        raise MeasurementError(f"the answers on {elsewhere.runtime} are not in the store")
    default, other = predictions(candidate), predictions(elsewhere)
    differs = default.chosen != other.chosen
    groups = [
        _most_confident(other, differs & mask)
        for mask in (default.right, other.right, ~default.right & ~other.right)
    ]
    lost, won, both_wrong = map(len, groups)
    samples = [sample for group in groups for sample in group]
    shown = _fitting(_disagreements(candidate.evaluation, default, other, samples))
    return RuntimeSheet(
        runtime=elsewhere.runtime,
        n=len(differs),
        lost=lost,
        won=won,
        both_wrong=both_wrong,
        shown=tuple(shown),
    )


def _most_confident(other: Predictions, mask: NDArray[np.bool_]) -> list[int]:
    """Return the samples of a mask, the most confident answer of the other runtime first."""
    return sorted(np.flatnonzero(mask).tolist(), key=lambda sample: -other.confidence(sample))


def _disagreements(
    split: Evaluation, default: Predictions, other: Predictions, samples: Sequence[int]
) -> Iterator[Disagreement]:
    for sample in samples:
        yield Disagreement(
            sample=sample,
            label=split.classes[default.labels[sample]],
            default=default.answer(sample, split.classes),
            other=other.answer(sample, split.classes),
            picture=picture_of(split, sample),
        )


def _fitting(disagreements: Iterator[Disagreement]) -> Iterator[Disagreement]:
    """Yield the first ones that fit into `MOST_SHOWN` and `MOST_BYTES`."""
    total = 0
    for disagreement in islice(disagreements, MOST_SHOWN):
        total += page_bytes(disagreement.picture)
        if total > MOST_BYTES:
            return
        yield disagreement

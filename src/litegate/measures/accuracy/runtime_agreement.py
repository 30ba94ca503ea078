"""Measure whether two runtimes decide alike on the same bytes and samples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy.agreement import spread_indices
from litegate.measures.accuracy.decisions import decide
from litegate.measures.accuracy.duplicates import originals
from litegate.measures.accuracy.operator_difference import largest_difference
from litegate.measures.accuracy.outputs import class_outputs, measure_worst, pair_outputs
from litegate.measures.accuracy.shares import share
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.runtimes.runtime import described
from litegate.spec import Artifact
from litegate.spec.runtimes import REFERENCE, XNNPACK

REFERENCE_SAMPLES = 500
"""Samples on which the reference kernels are compared, which no model needs to name; few, as they
are ten times slower.

Equal decisions on all of them prove an agreement of 99.46 % (Wilson, one-sided 95 %); a lint warns
about floors above that."""
_Scores = tuple[NDArray[Any], NDArray[Any]]


def runtime_agreement(
    candidate: Artifact, *, against: str = XNNPACK, most: int | None = None
) -> Measurement:
    """Measure the share of samples on which the candidate's runtime decides as another one does.

    On all samples of the evaluation split, or on `most` that are spread over it and the same in
    every run; by default 500 of the reference kernels. With several outputs the worst decides.
    Wilson's one-sided limit decides a floor; a failing verdict names the operator that adds most of
    the difference. Raises MeasurementError for outputs that are not finite, and as `predict`.
    """
    n = len(candidate.evaluation.x)
    limit = most or (REFERENCE_SAMPLES if candidate.runtime == REFERENCE else n)
    chosen = spread_indices(n, limit)
    there = candidate if len(chosen) == n else _on_samples(candidate, chosen)
    here = replace(there, runtime=against)
    pairs = pair_outputs(here, there)
    scores = {name: (ours.raw, theirs.raw) for name, (ours, theirs) in pairs.items()}

    def measure(name: str, pair: _Scores) -> Measurement:
        same = decide(pair[0], here.name).chosen == decide(pair[1], there.name).chosen
        return share(
            Name.RUNTIME_AGREEMENT,
            candidate.name,
            same,
            originals(candidate.evaluation)[chosen],
            evidence=(
                f"against {described(against)}",
                f"{len(chosen):,} of {n:,} samples",
                f"{int(same.sum()):,} decisions equal",
                _largest_difference(pair, pairs[name][0].quantum),
            ),
            artifacts=(candidate.sha256,),
        )

    measurement = measure_worst(class_outputs(scores, candidate.name), measure, high=False)
    return replace(measurement, why=partial(largest_difference, here, there))


def _on_samples(candidate: Artifact, chosen: NDArray[np.intp]) -> Artifact:
    """Return the candidate with these samples of its evaluation split, for its outputs alone."""
    split = candidate.evaluation
    return replace(
        candidate, evaluation=replace(split, x=split.x[chosen], y=None, slices={}, digest="")
    )


def _largest_difference(pair: _Scores, quantum: float) -> str:
    """Describe the largest difference of any score, in quanta if the output is quantized."""
    here, there = (scores[:].astype(np.float64) for scores in pair)
    largest = float(np.abs(here - there).max())
    return (
        f"scores at most {largest:g} quanta apart"
        if quantum
        else f"scores at most {largest:.3g} apart"
    )

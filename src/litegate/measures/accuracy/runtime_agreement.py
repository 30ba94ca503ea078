"""Measure whether two runtimes decide alike on the same bytes and samples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.units import Quantity
from litegate.data.duplicates import originals
from litegate.measures.accuracy.agreement import spread_indices
from litegate.measures.accuracy.decisions import decide
from litegate.measures.accuracy.early_stopping import judge_samples, with_whole_split
from litegate.measures.accuracy.operator_difference import largest_difference
from litegate.measures.accuracy.outputs import class_outputs, measure_worst, pair_outputs
from litegate.measures.accuracy.shares import share
from litegate.measures.measurement import Measurement, Relation
from litegate.measures.names import Name
from litegate.runtimes.answered_samples import Indices
from litegate.runtimes.inference import first_samples
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
    candidate: Artifact,
    limit: Quantity | None = None,
    *,
    checks: int = 1,
    against: str = XNNPACK,
    most: int | None = None,
) -> Measurement:
    """Measure the share of samples on which the candidate's runtime decides as another one does.

    On all samples of the evaluation split, or on `most` that are spread over it and the same in
    every run; by default 500 of the reference kernels. All samples stop as soon as they decide the
    floor `limit` (see `judge_samples`), if one output decides. With several outputs the worst
    decides. Wilson's one-sided limit decides a floor; a failing verdict names the operator that
    adds most of the difference. Raises MeasurementError for outputs that are not finite, and as
    `predict`.
    """
    if limit is not None:
        candidate = with_whole_split(candidate)
    n = len(candidate.evaluation.x)
    here = replace(candidate, runtime=against)
    spread = spread_indices(n, most or (REFERENCE_SAMPLES if candidate.runtime == REFERENCE else n))
    may_stop = len(spread) == n and len(_scores(here, candidate, first_samples(candidate))) == 1

    def losses_of(chosen: Indices) -> NDArray[np.bool_]:
        (pair,) = _scores(here, candidate, chosen).values()
        sides = decide(pair[0], here.name), decide(pair[1], candidate.name)
        return np.not_equal(*(side.chosen for side in sides))

    samples = judge_samples(
        (here, candidate),
        losses_of,
        limit if may_stop else None,
        Relation.AT_LEAST,
        checks=checks,
    )
    chosen = spread if samples.chosen is None else samples.chosen
    measurement = _measure(here, candidate, chosen)
    return replace(samples.explain(measurement), why=partial(largest_difference, here, candidate))


def _measure(here: Artifact, candidate: Artifact, chosen: Indices) -> Measurement:
    """Measure the share of equal decisions on some samples; with several outputs the worst one."""
    n = len(candidate.evaluation.x)
    outputs = pair_outputs(here, candidate, chosen)

    def measure(name: str, pair: _Scores) -> Measurement:
        same = decide(pair[0], here.name).chosen == decide(pair[1], candidate.name).chosen
        return share(
            Name.RUNTIME_AGREEMENT,
            candidate.name,
            same,
            originals(candidate.evaluation)[chosen],
            evidence=(
                f"against {described(here.runtime)}",
                f"{len(chosen):,} of {n:,} samples",
                f"{int(same.sum()):,} decisions equal",
                _largest_difference(pair, outputs[name][0].quantum),
            ),
            artifacts=(candidate.sha256,),
        )

    return measure_worst(_scores(here, candidate, chosen), measure, high=False)


def _scores(here: Artifact, there: Artifact, chosen: Indices) -> dict[str, _Scores]:
    """Return both sides' raw scores on some samples, for each output that chooses a class."""
    pairs = pair_outputs(here, there, chosen)
    raw = {name: (ours.raw, theirs.raw) for name, (ours, theirs) in pairs.items()}
    return class_outputs(raw, there.name)


def _largest_difference(pair: _Scores, quantum: float) -> str:
    """Describe the largest difference of any score, in quanta if the output is quantized."""
    here, there = (scores[:].astype(np.float64) for scores in pair)
    largest = float(np.abs(here - there).max())
    return (
        f"scores at most {largest:g} quanta apart"
        if quantum
        else f"scores at most {largest:.3g} apart"
    )

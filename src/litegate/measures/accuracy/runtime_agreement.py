"""Measure whether two runtimes decide alike on the same bytes and samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy.decisions import decide
from litegate.measures.accuracy.duplicates import originals
from litegate.measures.accuracy.outputs import class_outputs, measure_worst, pair_outputs
from litegate.measures.accuracy.shares import share
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.runtimes.runtime import described
from litegate.spec import Artifact

_Scores = tuple[NDArray[Any], NDArray[Any]]


def runtime_agreement(candidate: Artifact, runtime: str) -> Measurement:
    """Measure the share of the evaluation split on which two runtimes decide alike.

    The candidate's own runtime is compared with `runtime`. With several outputs the worst decides.
    Wilson's one-sided limit decides a floor. Raises MeasurementError for outputs that are not
    finite, and as `predict`.
    """
    elsewhere = replace(candidate, runtime=runtime)
    pairs = pair_outputs(candidate, elsewhere)
    scores = {name: (here.raw, there.raw) for name, (here, there) in pairs.items()}
    quanta = {name: here.quantum for name, (here, _) in pairs.items()}

    def measure(name: str, pair: _Scores) -> Measurement:
        here, there = decide(pair[0], candidate.name), decide(pair[1], elsewhere.name)
        same = here.chosen == there.chosen
        n = len(same)
        return share(
            Name.RUNTIME_AGREEMENT,
            candidate.name,
            same,
            originals(candidate.evaluation),
            evidence=(
                f"{int(same.sum()):,} of {n:,} decisions equal",
                _largest_difference(pair, quanta[name]),
                f"{described(candidate.runtime)}, against {described(runtime)}",
            ),
            artifacts=(candidate.sha256,),
        )

    return measure_worst(class_outputs(scores, candidate.name), measure, high=False)


def _largest_difference(pair: _Scores, quantum: float) -> str:
    """Describe the largest difference of any score, in quanta if the output is quantized."""
    here, there = (scores[:].astype(np.float64) for scores in pair)
    largest = float(np.abs(here - there).max())
    return (
        f"scores at most {largest:g} quanta apart"
        if quantum
        else f"scores at most {largest:.3g} apart"
    )

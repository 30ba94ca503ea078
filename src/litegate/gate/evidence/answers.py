"""What an artifact answered on its evaluation split, and how sure it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.gate.evidence.asking import Ask
from litegate.measures.accuracy import marked
from litegate.measures.accuracy.decisions import decide
from litegate.runtimes.inference import Outputs, predict
from litegate.spec import Artifact

_TOLERANCE = 0.05
"""How far the sum of quantized shares may be from 1."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """The answers of one artifact to n samples."""

    labels: NDArray[Any]
    """The true classes, shape (n,)."""
    chosen: NDArray[np.intp]
    right: NDArray[np.bool_]
    outputs: Outputs
    """What it answered, shape (n, classes)."""

    def confidence(self, sample: int) -> float:
        """The share of its choice: the output itself where outputs are shares, else softmax."""
        scores = self.outputs[sample : sample + 1].real.ravel()
        return float(shares(scores)[self.chosen[sample]])


def answered(artifact: Artifact, ask: Ask = predict) -> Answered:
    """What an artifact answers to its split, marked.

    MeasurementError where it does not choose between the split's classes.
    """
    outputs = ask(artifact)
    answers = marked(artifact, outputs)
    return Answered(
        labels=answers.labels,
        chosen=decide(outputs.raw, artifact.name).chosen,
        right=answers.right,
        outputs=outputs,
    )


def shares(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The scores of one sample, shape (classes,), as shares of 1."""
    exact = scores.astype(np.float64)
    if exact.min() >= 0 and abs(exact.sum() - 1) <= _TOLERANCE:
        powers = exact
    else:
        powers = np.exp(exact - exact.max())
    found: NDArray[np.float64] = powers / powers.sum()
    return found

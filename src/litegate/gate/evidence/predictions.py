"""Compare what an artifact predicts with the labels of its evaluation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.measures.accuracy import mark_answers
from litegate.measures.accuracy.decisions import decide
from litegate.report.html.page_data import Answer
from litegate.runtimes.inference import predict
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact

_TOLERANCE = 0.05
"""Deviation from 1 of the sum of a softmax's outputs, allowed for rounding to their quanta.

Each int8 output is off by up to half of 1/256, so 0.05 allows some 25 classes off in one direction.
Logits, which are not confidences, only rarely lie above 0 and add up to that close to 1."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """One artifact's predictions for n samples."""

    labels: NDArray[Any]
    """The true classes, shape (n,)."""
    chosen: NDArray[np.intp]
    """The predicted classes, shape (n,)."""
    right: NDArray[np.bool_]
    outputs: Outputs
    """Shape (n, classes)."""

    def confidence(self, sample: int) -> float:
        """Return the share of the predicted class, 0 to 1, as `probabilities` computes it."""
        scores = self.outputs[sample : sample + 1].real.ravel()
        return float(probabilities(scores)[self.chosen[sample]])

    def answer(self, sample: int, classes: Sequence[str]) -> Answer:
        """Return the answer to a sample; `classes` are the names of the classes."""
        return Answer(chosen=classes[self.chosen[sample]], confidence=self.confidence(sample))


def predictions(artifact: Artifact) -> Predictions:
    """Predict the classes of an artifact's split and compare them with the labels.

    Raises MeasurementError if the artifact does not choose between the split's classes.
    """
    outputs = predict(artifact)
    answers = mark_answers(artifact, outputs)
    return Predictions(
        labels=answers.labels,
        chosen=decide(outputs.raw, artifact.name).chosen,
        right=answers.right,
        outputs=outputs,
    )


def probabilities(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Turn the scores of one sample, shape (classes,), into shares of 1.

    Scores that are not negative and sum to 1 are softmax outputs already; others get a softmax.
    """
    exact = scores.astype(np.float64)
    if exact.min() >= 0 and abs(exact.sum() - 1) <= _TOLERANCE:
        powers = exact
    else:
        powers = np.exp(exact - exact.max())
    normalized: NDArray[np.float64] = powers / powers.sum()
    return normalized

"""A candidate set up to be asked the same thing in several ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.errors import MeasurementError
from litegate.measures.grid import output_grid
from litegate.measures.property_search.patterns import Canvas
from litegate.runtime import Runner
from litegate.spec import Artifact

ORDER = (0, 1, 1, 0, 1)
"""Which of two inputs stands in each row of a batch; reversed, it is another order."""
ROWS = len(ORDER)

Sample = NDArray[np.float32]


@final
class Bench:
    """A candidate set up to run single samples and batches. Not safe across threads."""

    def __init__(self, candidate: Artifact) -> None:
        """Load the candidate; MeasurementError where its domain does not hold its samples."""
        self.artifact = candidate
        self.grid = output_grid(candidate.tflite, candidate.name)
        self._single = Runner(candidate.tflite, subject=candidate.name)
        self._batch = Runner(candidate.tflite, subject=candidate.name)
        self.batches = self._batch.input.shape[:1] == (-1,)
        self._single.resize(1)
        self._batch.resize(ROWS if self.batches else 1)
        self.canvas = _canvas(candidate)

    @property
    def floats(self) -> bool:
        """Whether the outputs are computed in floats, off any grid."""
        return self.grid is None

    def alone(self, sample: Sample) -> NDArray[Any]:
        """The raw outputs of one sample."""
        return self._run(self._single, sample[None])

    def together(self, samples: Sequence[Sample]) -> NDArray[Any]:
        """The raw outputs of ROWS samples, in one batch or one after another."""
        if self.batches:
            return self._run(self._batch, np.stack(samples))
        return np.concatenate([self._run(self._batch, sample[None]) for sample in samples])

    def real(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """What raw outputs mean."""
        return self._single.output.real(raw)

    def _run(self, runner: Runner, samples: Sample) -> NDArray[Any]:
        return runner.run(runner.input.quantize(samples))


def _canvas(candidate: Artifact) -> Canvas:
    split, (low, high) = candidate.evaluation, candidate.evaluation.domain
    if not len(split.x):
        raise MeasurementError(f"the evaluation split of {candidate.name} is empty")
    least, most = float(np.min(split.x)), float(np.max(split.x))
    rounding = 1e-6 * max(abs(low), abs(high))
    if not (low < high and low - rounding <= least and most <= high + rounding):
        raise MeasurementError(
            f"the domain of {candidate.name} does not hold its own samples",
            expected=f"values from {low:g} to {high:g}",
            got=f"values from {least:g} to {most:g}",
            remedy="set Data(domain=...) to the least and greatest value after preprocessing",
        )
    return Canvas(shape=split.x.shape[1:], low=low, high=high, samples=split.x)

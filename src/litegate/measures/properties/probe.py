"""A candidate set up to be asked the same thing in several ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.data.disk_arrays import in_parts
from litegate.measures.accuracy.quanta import output_grid_of
from litegate.measures.properties.strategies import Canvas, Pattern
from litegate.runtimes.litert import Runner
from litegate.spec import Artifact, Inputs, by_input, domain_of
from litegate.tflite.ports import Port, matched

ORDER = (0, 1, 1, 0, 1)
"""Which of two inputs stands in each row of a batch; reversed, it is another order."""
ROWS = len(ORDER)

Sample = NDArray[np.float32] | Inputs
"""One sample; of several inputs `Inputs` of one."""
Raw = dict[str, NDArray[Any]]
"""Each output by its name, in its own type, shape (rows, ...)."""


@final
class Bench:
    """A candidate set up to run single samples and batches. Not safe across threads."""

    def __init__(self, candidate: Artifact) -> None:
        """Load the candidate; MeasurementError where its domain does not hold its samples."""
        self.artifact = candidate
        self._single, self._batch = _runner(candidate), _runner(candidate)
        self.batches = self._batch.batches
        self.grids = {k: output_grid_of(candidate, one) for k, one in self._single.outputs.items()}
        """The grid of each output by its name; None for one that is computed in floats."""
        self._canvases = _canvases(candidate, self._single.inputs)

    @property
    def canvas(self) -> Canvas:
        """The largest of the inputs', by which patterns are chosen."""
        return max(self._canvases.values(), key=lambda one: int(np.prod(one.shape)))

    @property
    def domain(self) -> str:
        """The domain in words: "from 0 to 1", or of each input."""
        told = {k: f"from {one.low:g} to {one.high:g}" for k, one in self._canvases.items()}
        return ", ".join(f"{told[name]} in {name}" if name else told[name] for name in told)

    def draw(self, pattern: Pattern) -> Sample:
        """What a pattern looks like as a sample: the same pattern in each input."""
        drawn = {k: one.rounded(pattern.draw(one)) for k, one in self._canvases.items()}
        if set(drawn) == {""}:
            return drawn[""]
        return Inputs({name: each[None] for name, each in drawn.items()})

    def words(self, pattern: Pattern) -> str:
        """What a pattern looks like, as the subject of a sentence."""
        said = {name: pattern.words(one) for name, one in self._canvases.items()}
        return " and ".join(f"{said[name]} in {name}" if name else said[name] for name in said)

    def alone(self, sample: Sample) -> Raw:
        """The raw outputs of one sample."""
        return self._single.run(_row(sample))

    def together(self, samples: Sequence[Sample]) -> Raw:
        """The raw outputs of ROWS samples, in one batch or one after another."""
        rows = [_row(sample) for sample in samples]
        if self.batches:
            return self._batch.run(_stacked(rows))
        return _each_joined([self._batch.run(row) for row in rows])

    def real(self, output: str, raw: NDArray[Any]) -> NDArray[np.float32]:
        """What raw values of an output mean."""
        return self._single.outputs[output].real(raw)


def _runner(candidate: Artifact) -> Runner:
    return Runner(candidate.tflite, subject=candidate.name, signature=candidate.signature)


def _row(sample: Sample) -> Sample:
    return sample if isinstance(sample, Inputs) else sample[None]


def _stacked(rows: Sequence[Sample]) -> Sample:
    named = [dict(by_input(row)) for row in rows]
    joined = _each_joined(named)
    return joined[""] if set(joined) == {""} else Inputs(joined)


def _each_joined(rows: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _canvases(candidate: Artifact, ports: Mapping[str, Port]) -> dict[str, Canvas]:
    """A canvas for each input by its name in the samples; the name is empty for one array."""
    split = candidate.evaluation
    if not len(split.x):
        raise MeasurementError(f"the evaluation split of {candidate.name} is empty")
    named = dict(by_input(split.x))
    whole = {id(array): ports[k].counts for k, array in matched(ports, split.x, "").items()}
    return {k: _canvas(candidate, k, x, whole=whole[id(x)]) for k, x in named.items()}


def _canvas(candidate: Artifact, name: str, x: Any, *, whole: bool) -> Canvas:
    low, high = domain_of(candidate.evaluation.domain, name)
    ends = [(part.min(), part.max()) for part in in_parts(x)]
    least, most = float(np.min(ends)), float(np.max(ends))
    rounding = 1e-6 * max(abs(low), abs(high))
    if not (low < high and low - rounding <= least and most <= high + rounding):
        where = f" of the input {name}" if name else ""
        raise MeasurementError(
            f"the domain of {candidate.name} does not hold its own samples{where}",
            expected=f"values from {low:g} to {high:g}",
            got=f"values from {least:g} to {most:g}",
            remedy="set Data(domain=...) to the least and greatest value after preprocessing",
        )
    return Canvas(shape=x.shape[1:], low=low, high=high, samples=x, whole=whole)

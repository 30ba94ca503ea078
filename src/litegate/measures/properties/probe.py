"""Run a candidate on single samples and batches that patterns draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.data.disk_arrays import in_parts
from litegate.measures.accuracy.quanta import output_grid_of
from litegate.measures.properties.strategies import Canvas, Pattern
from litegate.runtimes.child_runtime import SAMPLES, ChildRuntime
from litegate.runtimes.litert import Ready, Runner
from litegate.runtimes.runtime import Reset
from litegate.spec import Artifact, Inputs, Samples, by_input, domain_of
from litegate.spec.runtimes import XNNPACK
from litegate.tflite.parser import parse
from litegate.tflite.ports import Port, arrays_by_port
from litegate.tflite.variables import is_stateful

ORDER = (0, 1, 1, 0, 1)
"""The index of the input in each row of a batch of two inputs.

No palindrome: a batch that is answered in reverse order is noticed."""
ROWS = len(ORDER)

Sample = NDArray[np.float32] | Inputs
"""One sample; `Inputs` of one sample for networks with several inputs."""
Raw = dict[str, NDArray[Any]]
"""The raw outputs by name, each in its own type, shape (rows, ...)."""


class _Runs(Protocol):
    """A file that is loaded on a runtime."""

    inputs: dict[str, Port]
    outputs: dict[str, Port]

    @property
    def takes_batches(self) -> bool:
        """Return True if one invocation takes any number of samples."""

    def run(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """Return the raw outputs of some samples, shape (rows, ...)."""

    def ready(self, samples: Samples) -> Ready:
        """Convert samples to the inputs' types, by input."""

    def answer(self, ready: Ready, reset: Reset = "each") -> dict[str, NDArray[Any]]:
        """Return the raw outputs of converted samples, which are answered one at a time."""


@final
class Probe:
    """Runs single samples and batches on a candidate. Not safe across threads."""

    def __init__(self, candidate: Artifact) -> None:
        """Load the candidate on its runtime; close it after use.

        Raises MeasurementError if its domain does not contain its samples, and as `Runner` and
        `ChildRuntime`.
        """
        self.artifact = candidate
        self._child = _child(candidate)
        try:
            self._single: _Runs = self._child or _runner(candidate)
            self._batch: _Runs = self._child or _runner(candidate)
            self.batches = self._batch.takes_batches
            self.is_stateful = is_stateful(
                parse(candidate.ran_bytes, subject=candidate.name, signature=candidate.signature)
            )
            ports = self._single.outputs
            self.grids = {name: output_grid_of(candidate, port) for name, port in ports.items()}
            """The grid of each output by name; None for an output that is computed in floats."""
            self._canvases = _canvases(candidate, self._single.inputs)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process of a runtime besides the default."""
        if self._child:
            self._child.close()

    @property
    def canvas(self) -> Canvas:
        """The canvas of the largest input, by which patterns are chosen."""
        return max(self._canvases.values(), key=lambda canvas: int(np.prod(canvas.shape)))

    @property
    def domain(self) -> str:
        """The domain in words: "from 0 to 1", or the domain of each input."""
        ranges = {
            name: f"from {canvas.low:g} to {canvas.high:g}"
            for name, canvas in self._canvases.items()
        }
        return ", ".join(f"{words} in {name}" if name else words for name, words in ranges.items())

    def draw(self, pattern: Pattern) -> Sample:
        """Draw a pattern as a sample: the same pattern in each input."""
        drawn = {
            name: canvas.rounded(pattern.draw(canvas)) for name, canvas in self._canvases.items()
        }
        if set(drawn) == {""}:
            return drawn[""]
        return Inputs({name: array[None] for name, array in drawn.items()})

    def describe(self, pattern: Pattern) -> str:
        """Describe a pattern, as the subject of a sentence."""
        words = {name: pattern.describe(canvas) for name, canvas in self._canvases.items()}
        return " and ".join(
            f"{description} in {name}" if name else description
            for name, description in words.items()
        )

    def alone(self, sample: Sample) -> Raw:
        """Return the raw outputs of one sample."""
        return self._single.run(_row(sample))

    def together(self, samples: Sequence[Sample]) -> Raw:
        """Return the raw outputs of ROWS samples, in one batch or one after another."""
        rows = [_row(sample) for sample in samples]
        if self.batches:
            return self._batch.run(_stack(rows))
        return _concatenate([self._batch.run(row) for row in rows])

    def carry(self, samples: Sequence[Sample], turns: Sequence[int]) -> Iterator[Raw]:
        """Reset the state once, then answer samples as the frames of a sequence.

        `turns` has the index of the sample of each frame. Yields the raw outputs of some frames
        at a time, shape (frames, ...).
        """
        ready = [self._single.ready(_row(sample)) for sample in samples]
        for start in range(0, len(turns), SAMPLES):
            frames = _concatenate([ready[number] for number in turns[start : start + SAMPLES]])
            yield self._single.answer(frames, "none" if start else "first")

    def real(self, output: str, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Convert raw values of an output to real values."""
        return self._single.outputs[output].real(raw)


def _child(candidate: Artifact) -> ChildRuntime | None:
    """Load the candidate in a process of its runtime; None for the default, which needs none."""
    if candidate.runtime == XNNPACK:
        return None
    return ChildRuntime(
        candidate.ran_bytes,
        candidate.runtime,
        subject=candidate.name,
        signature=candidate.signature,
        resets=candidate.resets,
    )


def _runner(candidate: Artifact) -> Runner:
    return Runner(
        candidate.tflite,
        subject=candidate.name,
        signature=candidate.signature,
        resets=candidate.resets,
    )


def _row(sample: Sample) -> Sample:
    return sample if isinstance(sample, Inputs) else sample[None]


def _stack(rows: Sequence[Sample]) -> Sample:
    named = [dict(by_input(row)) for row in rows]
    joined = _concatenate(named)
    return joined[""] if set(joined) == {""} else Inputs(joined)


def _concatenate(rows: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _canvases(candidate: Artifact, ports: Mapping[str, Port]) -> dict[str, Canvas]:
    """Return a canvas for each input by its name in the samples, empty for a single array."""
    split = candidate.evaluation
    if not len(split.x):
        raise MeasurementError(f"the evaluation split of {candidate.name} is empty")
    named = dict(by_input(split.x))
    is_integer = {
        id(x): ports[name].takes_counts for name, x in arrays_by_port(ports, split.x, "").items()
    }
    return {
        name: _canvas(candidate, name, x, is_integer=is_integer[id(x)]) for name, x in named.items()
    }


def _canvas(candidate: Artifact, name: str, x: Any, *, is_integer: bool) -> Canvas:
    low, high = domain_of(candidate.evaluation.domain, name)
    ends = [(part.min(), part.max()) for part in in_parts(x)]
    least, most = float(np.min(ends)), float(np.max(ends))
    rounding = 1e-6 * max(abs(low), abs(high))  # float32 resolves 1.2e-7 of a value
    if not (low < high and low - rounding <= least and most <= high + rounding):
        scope = f" of the input {name}" if name else ""
        raise MeasurementError(
            f"the domain of {candidate.name} does not contain its own samples{scope}",
            expected=f"values from {low:g} to {high:g}",
            got=f"values from {least:g} to {most:g}",
            remedy="set Data(domain=...) to the least and greatest value after preprocessing",
        )
    return Canvas(shape=x.shape[1:], low=low, high=high, samples=x, is_integer=is_integer)

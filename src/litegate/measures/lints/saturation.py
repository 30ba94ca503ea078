"""Detect saturation: inputs that clip the samples that they are fed.

A quantized input, or a float input that is quantized first, represents the values between those of
its smallest and its largest integer; values beyond are clipped to one of the two. Clipping a few is
the price of a scale that suits the rest. Samples that lack their preprocessing, 0 to 255 for a
network of 0 to 1, lose nearly all their information, and measurements on them say nothing about
the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.core.units import Unit, text
from litegate.data.disk_arrays import in_parts
from litegate.measures.accuracy.quanta import Grid, input_grid_of
from litegate.spec import Artifact, Samples, frames_of
from litegate.tflite.parser import parse
from litegate.tflite.ports import ambiguous_signature, arrays_by_port, parsed_ports

_MOST_SAMPLES = 1000
"""Samples that show how a split was preprocessed: missing preprocessing affects all of them, so
more would only take longer, for every artifact that is loaded."""
_REMEDY = "preprocess the samples as in training"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """The values of the samples that one input clips: at least one."""

    subject: str
    name: str
    """The input's name."""
    grid: Grid
    """The values that the input, or the QUANTIZE of a float input, represents."""
    sample_range: tuple[float, float]
    """The smallest and the largest value of the samples."""
    values: int
    """Number of values in all samples."""
    outside: int
    """Number of values that lie beyond the grid by more than half a quantum."""
    samples: int
    """Number of samples."""
    ruined: int
    """Number of samples that lose more than half of their magnitude (see `_is_ruined`)."""

    @property
    def is_severe(self) -> bool:
        """True if more than half of the values, or of the samples, are lost.

        Clipping a few values is the price of a scale that suits the others; a scale that suits the
        lesser part is a mistake.
        """
        return 2 * self.outside > self.values or 2 * self.ruined > self.samples

    def __str__(self) -> str:
        """Describe the saturation in one sentence, with the remedy."""
        cut = f"{self._port} clips values of the samples"
        return f"{cut}: its range is {self._grid_range}, {self._finding}; what to do: {_REMEDY}"

    @property
    def error(self) -> MeasurementError:
        """The MeasurementError to raise for a severe saturation."""
        return MeasurementError(
            f"{self._port} clips too much of the samples for any measurement",
            expected=f"values from {self._grid_range}",
            got=f"{self._finding}; {self.ruined:,} of {self.samples:,} samples lose most of "
            "their information",
            remedy=_REMEDY,
        )

    @property
    def _port(self) -> str:
        return f"the input {self.name} of {self.subject}"

    @property
    def _grid_range(self) -> str:
        return _span((self.grid.low, self.grid.high))

    @property
    def _finding(self) -> str:
        share = text(self.outside / self.values, Unit.PERCENT)
        return (
            f"the samples are {_span(self.sample_range)}, and {share} of their values are outside"
        )


def _span(ends: tuple[float, float]) -> str:
    return "{:.4g} to {:.4g}".format(*ends)


def saturation(artifact: Artifact) -> Iterator[Saturation]:
    """Yield each input that clips values of the artifact's evaluation split; nothing is invoked.

    Samples whose shape differs from the input's are skipped: feeding them is an error anyway.
    Raises ArtifactError if the file cannot be parsed, or the samples belong to other inputs.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    if not artifact.signature and len(graph.signatures) > 1:
        names = [signature.name for signature in graph.signatures]
        raise ambiguous_signature(names, artifact.name)
    ports = parsed_ports(graph, "inputs", artifact.signature)
    for name, array in arrays_by_port(ports, artifact.evaluation.x, artifact.name).items():
        grid = input_grid_of(artifact, ports[name])
        fits = ports[name].resized_shape(array.shape)[1:] == array.shape[1:] and prod(array.shape)
        if grid and fits:
            clipped = _measure(artifact.name, name, grid, array)
            if clipped.outside:
                yield clipped


def spread_samples(artifact: Artifact) -> Samples:
    """Return at most 1,000 samples, evenly spread over the evaluation split."""
    x = frames_of(artifact.evaluation.x)
    return x[np.linspace(0, len(x) - 1, min(len(x), _MOST_SAMPLES)).astype(np.intp)]


def demand_representable(artifact: Artifact) -> None:
    """Raise MeasurementError if an input clips most of the samples' values.

    Samples that lack their preprocessing all lack it, so 1,000 from all over the split suffice. An
    empty split, and samples of other inputs, raise nothing here: measuring them raises the error.
    """
    split = replace(artifact.evaluation, x=spread_samples(artifact))
    with suppress(ArtifactError):
        for clipped in saturation(replace(artifact, evaluation=split)):
            if clipped.is_severe:
                raise clipped.error


def _measure(subject: str, name: str, grid: Grid, array: Any) -> Saturation:
    low, high = grid.low - grid.quantum / 2, grid.high + grid.quantum / 2
    least, most, values, outside, ruined = np.inf, -np.inf, 0, 0, 0
    for part in in_parts(array):
        rows = np.asarray(part, dtype=np.float64).reshape(len(part), -1)
        beyond = (rows < low) | (rows > high)
        least, most = min(least, rows.min()), max(most, rows.max())
        values, outside = values + rows.size, outside + int(beyond.sum())
        ruined += int(_is_ruined(rows, grid).sum())
    return Saturation(
        subject=subject,
        name=name,
        grid=grid,
        sample_range=(float(least), float(most)),
        values=values,
        outside=outside,
        samples=len(array),
        ruined=ruined,
    )


def _is_ruined(rows: NDArray[np.float64], grid: Grid) -> NDArray[np.bool_]:
    """Mark the samples, shape (n, k), that lose more than half of the sum of their magnitudes.

    Counting clipped values would not do: four in five pixels of a digit are black, which any input
    represents, while nothing of the digit itself is left.
    """
    clipped = np.abs(np.clip(rows, grid.low, grid.high)).sum(axis=1)
    ruined: NDArray[np.bool_] = 2 * clipped < np.abs(rows).sum(axis=1)
    return ruined

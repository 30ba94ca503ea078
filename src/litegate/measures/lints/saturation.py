"""Saturation: whether an input can hold the samples that it is fed, or cuts their values off.

A quantized input, or a float one that is quantized first, takes the values between its least and
its greatest integer; what lies beyond becomes one of the two. A few such values are the price of a
scale that suits the rest. Samples that lack their preprocessing, 0 to 255 for a network of 0 to 1,
lose nearly all that they tell, and what is measured on them says nothing of the file.
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
from litegate.runtimes.litert import Runner
from litegate.spec import Artifact, Samples
from litegate.tflite.ports import matched

_TELLING = 1000
"""Samples that tell whether most are cut off."""
_REMEDY = "preprocess the samples as the network takes them, as its training did"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """What one input cannot hold of its samples: at least one value."""

    subject: str
    name: str
    """The input's."""
    grid: Grid
    """What the input can take, or what a float one is quantized to first."""
    given: tuple[float, float]
    """The least and the greatest value of the samples."""
    values: int
    outside: int
    """How many of the values lie beyond what is held by more than half a quantum."""
    samples: int
    lost: int
    """How many of the samples lose more than half of what they say (see `_lost`)."""

    @property
    def senseless(self) -> bool:
        """Whether most of the values, or most samples, are cut off."""
        return 2 * self.outside > self.values or 2 * self.lost > self.samples

    def __str__(self) -> str:
        """One sentence for a person, with what to do."""
        cut = f"{self._input} cuts off values of the samples"
        return f"{cut}: it holds {self._holds}, {self._gives}; what to do: {_REMEDY}"

    @property
    def error(self) -> MeasurementError:
        """The same as an error."""
        return MeasurementError(
            f"{self._input} cuts off so much of the samples that nothing sensible can be measured",
            expected=f"values from {self._holds}",
            got=f"{self._gives}; {self.lost:,} of {self.samples:,} samples lose most of what they"
            " say",
            remedy=_REMEDY,
        )

    @property
    def _input(self) -> str:
        return f"the input {self.name} of {self.subject}"

    @property
    def _holds(self) -> str:
        return _span((self.grid.low, self.grid.high))

    @property
    def _gives(self) -> str:
        share = text(self.outside / self.values, Unit.PERCENT)
        return f"the samples are {_span(self.given)}, and {share} of their values lie outside"


def _span(ends: tuple[float, float]) -> str:
    return "{:.4g} to {:.4g}".format(*ends)


def saturation(artifact: Artifact) -> Iterator[Saturation]:
    """Each input of an artifact that cuts off values of its evaluation split; nothing is invoked.

    Samples of another shape than an input's cut off nothing: they are refused when they are fed.
    ArtifactError where LiteRT refuses the file, or the samples are of other inputs.
    """
    ports = Runner(artifact.tflite, subject=artifact.name, signature=artifact.signature).inputs
    for name, array in matched(ports, artifact.evaluation.x, artifact.name).items():
        grid = input_grid_of(artifact, ports[name])
        fits = ports[name].fitted(array.shape)[1:] == array.shape[1:] and prod(array.shape)
        if grid and fits and (found := _of(artifact.name, name, grid, array)).outside:
            yield found


def telling(artifact: Artifact) -> Samples:
    """Samples from all over the evaluation split, enough to tell how they were preprocessed."""
    x = artifact.evaluation.x
    return x[np.linspace(0, len(x) - 1, min(len(x), _TELLING)).astype(np.intp)]


def demand_held(artifact: Artifact) -> None:
    """Raise MeasurementError where an input cuts off most of what the samples say.

    Samples that lack their preprocessing lack it all, so some from all over the split tell. Without
    samples, and for those of other inputs, nothing is raised: who measures says so.
    """
    few = replace(artifact, evaluation=replace(artifact.evaluation, x=telling(artifact)))
    with suppress(ArtifactError):
        for one in saturation(few):
            if one.senseless:
                raise one.error


def _of(subject: str, name: str, grid: Grid, array: Any) -> Saturation:
    low, high = grid.low - grid.quantum / 2, grid.high + grid.quantum / 2
    least, most, values, outside, lost = np.inf, -np.inf, 0, 0, 0
    for part in in_parts(array):
        rows = np.asarray(part, dtype=np.float64).reshape(len(part), -1)
        beyond = (rows < low) | (rows > high)
        least, most = min(least, rows.min()), max(most, rows.max())
        values, outside = values + rows.size, outside + int(beyond.sum())
        lost += int(_lost(rows, grid).sum())
    return Saturation(
        subject=subject,
        name=name,
        grid=grid,
        given=(float(least), float(most)),
        values=values,
        outside=outside,
        samples=len(array),
        lost=lost,
    )


def _lost(rows: NDArray[np.float64], grid: Grid) -> NDArray[np.bool_]:
    """Which of the samples, shape (n, k), lose more than half of the sum of their magnitudes.

    Counting values alone would not do: four in five of a digit's pixels are black, which any input
    can hold, and nothing is left of the digit.
    """
    kept = np.abs(np.clip(rows, grid.low, grid.high)).sum(axis=1)
    found: NDArray[np.bool_] = 2 * kept < np.abs(rows).sum(axis=1)
    return found

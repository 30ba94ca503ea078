"""Output error: how far a candidate's outputs lie from its reference's, whatever they mean.

For networks that do not choose between classes, such as autoencoders, and data without labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit, text
from litegate.data.disk_arrays import together
from litegate.measures.accuracy.decisions import demand_finite, demand_same_split
from litegate.measures.accuracy.duplicates import counted, firsts, originals
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.outputs import paired, worst
from litegate.measures.measurement import Interval, Measurement
from litegate.measures.statistics.bootstrap import METHOD, bca, by_group, resamples
from litegate.measures.statistics.proportions import TAIL
from litegate.runtimes.inference import Outputs
from litegate.spec import Artifact

Sums = NDArray[np.float64]
"""float64; a sum of squares for each sample, shape (n,)."""


def output_error(reference: Artifact, candidate: Artifact) -> Measurement:
    """The RMS of an output's differences, as a share of the RMS of the reference's output.

    ``sqrt(sum((c - r)^2) / sum(r^2))`` over all samples and values, in real values. Of several
    outputs, each by itself, the worst counts. The limits are those of Efron's BCa bootstrap over
    distinct samples (JASA 1987, 82:171). MeasurementError for different evaluation splits or
    shapes, outputs that are not finite, a reference that answers zeros alone, or fewer than two
    distinct samples.
    """
    demand_same_split(reference, candidate)

    def measure(_: str, pair: tuple[Outputs, Outputs]) -> Measurement:
        return _of_one(reference, candidate, pair)

    return worst(paired(reference, candidate), measure, high=True)


def _of_one(reference: Artifact, candidate: Artifact, pair: tuple[Outputs, Outputs]) -> Measurement:
    r, c = _checked(reference, candidate, pair)
    off, whole = _sums(r, c)
    if not whole.sum():
        raise MeasurementError(f"{reference.name} answers zero to every sample: no share of it")
    found, groups = _error(off.sum(), whole.sum()), originals(candidate.evaluation)
    numbers = np.unique(groups, return_inverse=True)[1]
    limits = _limits(found, by_group(off, numbers), by_group(whole, numbers))
    (low, high), (least, most) = limits(TAIL / 2), limits(TAIL)
    worst = int(off.argmax())
    return Measurement(
        name="output error",
        subject=candidate.name,
        value=found,
        unit=Unit.PERCENT,
        n=len(off),
        interval=Interval(low=low, high=high, method=METHOD),
        low=least,
        high=most,
        evidence=(
            f"RMS {_rms(off, r.raw.size):.4g} of {_rms(whole, r.raw.size):.4g}",
            counted(len(off), len(firsts(groups))),
            f"sample {worst} is the worst: {_of_sample(off[worst], whole[worst])}",
        ),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def _checked(
    reference: Artifact, candidate: Artifact, pair: tuple[Outputs, Outputs]
) -> tuple[Outputs, Outputs]:
    """The outputs of both, of one shape (n, ...), finite."""
    r, c = pair
    demand_finite(r, reference.name)
    demand_finite(c, candidate.name)
    distinct = len(firsts(originals(candidate.evaluation)))
    if r.raw.shape != c.raw.shape or distinct < 2:
        raise MeasurementError(
            f"the outputs of {candidate.name} and its reference cannot be compared",
            expected="the same shape, and at least two distinct samples",
            got=f"{c.raw.shape} and {r.raw.shape}, {counted(len(r.raw), distinct)}",
        )
    return r, c


def _sums(r: Outputs, c: Outputs) -> tuple[Sums, Sums]:
    """For each sample the squares of the differences added up, and those of the reference's.

    Some samples at a time: float64 of all would take many times the room of what was answered.
    """
    off, whole = np.empty((2, len(r.raw)))
    for part in together(r.raw, c.raw):
        one, other = r[part].real.astype(np.float64), c[part].real.astype(np.float64)
        off[part], whole[part] = _squares(other - one), _squares(one)
    return off, whole


def _rms(sums: Sums, values: int) -> float:
    return math.sqrt(sums.sum() / values)


def _limits(found: float, off: Sums, whole: Sums) -> Callable[[float], tuple[float, float]]:
    """Gives the lower and the upper limit, each missed with a given chance."""
    return partial(bca, found, _drawn(off, whole), _without_each(off, whole))


def _squares(values: NDArray[Any]) -> Sums:
    sums: Sums = np.square(values).reshape(len(values), -1).sum(axis=1)
    return sums


def _error(off: Any, whole: Any) -> float:
    return math.sqrt(float(off) / float(whole))


def _of_sample(off: float, whole: float) -> str:
    return text(_error(off, whole), Unit.PERCENT) if whole else "its reference answers zeros"


def _drawn(off: Sums, whole: Sums) -> Sums:
    """The error of each resample; a resample of zeros alone is left out."""
    stacked = np.stack([off, whole], axis=1)
    sums = np.concatenate([counts @ stacked for counts in resamples(len(off))])
    sums = sums[sums[:, 1] > 0]
    drawn: Sums = np.sqrt(sums[:, 0] / sums[:, 1])
    return drawn


def _without_each(off: Sums, whole: Sums) -> Sums:
    """The error without each sample in turn: the jackknife's values."""
    rest = np.maximum(whole.sum() - whole, np.finfo(np.float64).tiny)
    left: Sums = np.sqrt(np.maximum(off.sum() - off, 0) / rest)
    return left

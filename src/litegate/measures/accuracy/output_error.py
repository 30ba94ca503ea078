"""Measure output error: the distance of a candidate's outputs from its reference's.

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
from litegate.data.disk_arrays import part_slices
from litegate.data.duplicates import first_indices, originals, samples_in_words
from litegate.measures.accuracy.decisions import demand_finite_outputs, demand_same_split
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.outputs import measure_worst, pair_outputs
from litegate.measures.measurement import Interval, Measurement
from litegate.measures.names import Name
from litegate.measures.statistics.bootstrap import METHOD, bca, group_sums, resamples
from litegate.measures.statistics.proportions import TAIL
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact

Sums = NDArray[np.float64]
"""A sum of squares for each sample, float64, shape (n,)."""


def output_error(reference: Artifact, candidate: Artifact) -> Measurement:
    """Measure the RMS of an output's differences, as a share of the RMS of the reference's output.

    ``sqrt(sum((c - r)^2) / sum(r^2))`` over all samples and values, in real values. Each output is
    measured by itself, and the worst decides. The limits are those of Efron's BCa bootstrap over
    distinct samples (JASA 1987, 82:171). Raises MeasurementError for different evaluation splits
    or shapes, outputs that are not finite, a reference whose outputs are all zero, or fewer than
    two distinct samples.
    """
    demand_same_split(reference, candidate)

    def measure(_: str, pair: tuple[Outputs, Outputs]) -> Measurement:
        return _measure_output(reference, candidate, pair)

    return measure_worst(pair_outputs(reference, candidate), measure, high=True)


def _measure_output(
    reference: Artifact, candidate: Artifact, pair: tuple[Outputs, Outputs]
) -> Measurement:
    r, c = _check_comparable(reference, candidate, pair)
    differences, references = _sums_of_squares(r, c)
    if not references.sum():
        raise MeasurementError(
            f"{reference.name} returns zero for every sample, so there is no share of it"
        )
    error, groups = (
        _relative_error(differences.sum(), references.sum()),
        originals(candidate.evaluation),
    )
    numbers = np.unique(groups, return_inverse=True)[1]
    limits = _limits(error, group_sums(differences, numbers), group_sums(references, numbers))
    (low, high), (least, most) = limits(TAIL / 2), limits(TAIL)
    worst = int(differences.argmax())
    return Measurement(
        name=Name.OUTPUT_ERROR,
        subject=candidate.name,
        value=error,
        unit=Unit.PERCENT,
        n=len(differences),
        interval=Interval(low=low, high=high, method=METHOD),
        low=least,
        high=most,
        limits_at=limits,
        evidence=(
            f"RMS {_rms(differences, r.raw.size):.4g} of {_rms(references, r.raw.size):.4g}",
            samples_in_words(len(differences), len(first_indices(groups))),
            f"sample {worst} is the worst: {_sample_share(differences[worst], references[worst])}",
        ),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def _check_comparable(
    reference: Artifact, candidate: Artifact, pair: tuple[Outputs, Outputs]
) -> tuple[Outputs, Outputs]:
    """Return both outputs of shape (n, ...).

    Raises MeasurementError if their shapes differ, a value is not finite, or fewer than two samples
    are distinct.
    """
    r, c = pair
    demand_finite_outputs(r, reference.name)
    demand_finite_outputs(c, candidate.name)
    distinct = len(first_indices(originals(candidate.evaluation)))
    if r.raw.shape != c.raw.shape or distinct < 2:
        raise MeasurementError(
            f"the outputs of {candidate.name} and its reference cannot be compared",
            expected="the same shape, and at least two distinct samples",
            got=f"{c.raw.shape} and {r.raw.shape}, {samples_in_words(len(r.raw), distinct)}",
        )
    return r, c


def _sums_of_squares(r: Outputs, c: Outputs) -> tuple[Sums, Sums]:
    """Return for each sample the sum of squared differences, and of the reference's squares.

    Converts some samples at a time: float64 copies of all would take many times the memory.
    """
    differences, references = np.empty((2, len(r.raw)))
    for part in part_slices(r.raw, c.raw):
        expected, actual = (side[part].real.astype(np.float64) for side in (r, c))
        differences[part], references[part] = _squares(actual - expected), _squares(expected)
    return differences, references


def _rms(sums: Sums, values: int) -> float:
    return math.sqrt(sums.sum() / values)


def _limits(
    error: float, differences: Sums, references: Sums
) -> Callable[[float], tuple[float, float]]:
    """Return a function from a tail probability to the lower and the upper limit."""
    return partial(
        bca, error, _resampled(differences, references), _jackknife(differences, references)
    )


def _squares(values: NDArray[Any]) -> Sums:
    sums: Sums = np.square(values).reshape(len(values), -1).sum(axis=1)
    return sums


def _relative_error(difference: Any, reference: Any) -> float:
    return math.sqrt(float(difference) / float(reference))


def _sample_share(difference: float, reference: float) -> str:
    return (
        text(_relative_error(difference, reference), Unit.PERCENT)
        if reference
        else "its reference returns only zeros"
    )


def _resampled(differences: Sums, references: Sums) -> Sums:
    """Return the error of each resample; leave out resamples whose reference is all zero."""
    stacked = np.stack([differences, references], axis=1)
    sums = np.concatenate([counts @ stacked for counts in resamples(len(differences))])
    sums = sums[sums[:, 1] > 0]
    errors: Sums = np.sqrt(sums[:, 0] / sums[:, 1])
    return errors


def _jackknife(differences: Sums, references: Sums) -> Sums:
    """Return the errors without each sample in turn (jackknife)."""
    rest = np.maximum(references.sum() - references, np.finfo(np.float64).tiny)
    errors: Sums = np.sqrt(np.maximum(differences.sum() - differences, 0) / rest)
    return errors

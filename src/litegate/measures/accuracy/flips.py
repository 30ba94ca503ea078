"""Count flips between marks of samples, right or wrong: in all of them, by class, by slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.escaping import listed
from litegate.data.duplicates import first_indices, originals
from litegate.measures.accuracy.shares import PairedCounts
from litegate.measures.statistics.proportions import FlipCounts
from litegate.spec import Evaluation

Marks = NDArray[np.bool_]
"""True for each sample that counts as right, shape (n,)."""


def count_flips(before: Marks, after: Marks) -> FlipCounts:
    """Count the flips between two arrays of marks of the same samples."""
    return FlipCounts(
        n=len(before), broken=int((before & ~after).sum()), fixed=int((~before & after).sum())
    )


def count_flips_in(split: Evaluation, before: Marks, after: Marks, mask: Marks) -> PairedCounts:
    """Count the flips among the samples in `mask`, shape (n,), and among its distinct samples."""
    return count_flips_of(originals(split)[mask], before[mask], after[mask])


def count_flips_of(groups: NDArray[np.intp], before: Marks, after: Marks) -> PairedCounts:
    """Count the flips of samples, and of one sample of each group of equal numbers."""
    once = first_indices(groups)
    return PairedCounts(
        total=count_flips(before, after), distinct=count_flips(before[once], after[once])
    )


def count_flips_by_slice(split: Evaluation, before: Marks, after: Marks) -> list[PairedCounts]:
    """Count the flips of each slice, in order. Raises MeasurementError without slices."""
    return [count_flips_in(split, before, after, mask) for mask in demand_slices(split).values()]


def demand_slices(split: Evaluation) -> dict[str, Marks]:
    """Return the slices by name. Raises MeasurementError without slices."""
    if not split.slices:
        raise MeasurementError(
            "the evaluation split has no slices",
            expected='lg.Splits(..., slices={"night": mask}), and the digest of each in lg.Data',
        )
    return dict(split.slices)


def class_masks(labels: NDArray[np.intp], names: tuple[str, ...]) -> Iterator[Marks]:
    """Return a mask for each class, in order. Raises MeasurementError if a class has no sample."""
    empty = [name for number, name in enumerate(names) if not (labels == number).any()]
    if empty:
        raise MeasurementError(
            f"{len(empty)} of {len(names)} classes have no sample in the evaluation split",
            expected="at least one sample of each",
            got=f"none of {listed(empty)}",
            remedy="add samples of them, or remove the limit for each class, such as class_drop",
        )
    return (labels == number for number in range(len(names)))

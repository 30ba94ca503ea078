"""Marks of samples, right or wrong, before and after: how many flip, whole and part by part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.measures.accuracy.duplicates import firsts, originals
from litegate.measures.accuracy.shares import Counted
from litegate.measures.statistics.proportions import Pairs
from litegate.spec import Evaluation

Marks = NDArray[np.bool_]
"""Whether each sample counts as right, shape (n,)."""


def flipped(before: Marks, after: Marks) -> Pairs:
    """Count the flips between two rows of marks of the same samples."""
    return Pairs(
        n=len(before), broken=int((before & ~after).sum()), fixed=int((~before & after).sum())
    )


def flipped_of(split: Evaluation, before: Marks, after: Marks, part: Marks) -> Counted:
    """The flips of a part's samples, and of its distinct ones; `part` has shape (n,)."""
    chosen = np.flatnonzero(part)
    once = chosen[firsts(originals(split)[chosen])]
    return Counted(
        every=flipped(before[chosen], after[chosen]), distinct=flipped(before[once], after[once])
    )


def flipped_by_slice(split: Evaluation, before: Marks, after: Marks) -> list[Counted]:
    """The flips of each slice, in their order. MeasurementError where there is no slice."""
    return [flipped_of(split, before, after, mask) for mask in demand_slices(split).values()]


def demand_slices(split: Evaluation) -> dict[str, Marks]:
    """The slices by name. MeasurementError where there is none."""
    if not split.slices:
        raise MeasurementError(
            "the evaluation split has no slices",
            expected='lg.Splits(..., slices={"night": mask}), and the digest of each in lg.Data',
        )
    return dict(split.slices)


def by_class(labels: NDArray[np.intp], names: tuple[str, ...]) -> Iterator[Marks]:
    """The samples of each class, in their order. MeasurementError where one has none."""
    empty = [name for number, name in enumerate(names) if not (labels == number).any()]
    if empty:
        raise MeasurementError(
            f"{len(empty)} of {len(names)} classes have no sample in the evaluation split",
            expected="at least one sample of each",
            got=f"none of {', '.join(empty[:8])}",
            remedy="add samples of them, or leave the limit for each class unset",
        )
    return (labels == number for number in range(len(names)))

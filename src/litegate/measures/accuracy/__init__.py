"""Measure top-1 accuracy of the bytes that ship, and how much of it quantizing loses.

A drop is paired: both artifacts run on the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import LitegateError, MeasurementError
from litegate.core.units import Quantity, Unit, text
from litegate.measures.accuracy.decisions import (
    decide,
    demand_comparable,
    labels_are_of_frames,
    tie_evidence,
)
from litegate.measures.accuracy.early_stopping import judge_samples, with_whole_split
from litegate.measures.accuracy.flips import (
    Marks,
    class_masks,
    count_flips,
    count_flips_by_slice,
    count_flips_in,
    count_flips_of,
    demand_slices,
)
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.shares import drop, share, worst_drop
from litegate.measures.measurement import Measurement, Relation, Verdict
from litegate.measures.names import Name
from litegate.measures.statistics.proportions import FlipCounts
from litegate.runtimes.answered_samples import Indices
from litegate.runtimes.inference import predict
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The decisions of an artifact on its evaluation split, marked right or wrong."""

    right: Marks
    """True for each sample that was put in its class."""
    labels: NDArray[Any]
    """The class of each sample, integers, shape (n,)."""
    ties: int
    """Number of samples with more than one highest score."""


def answers(artifact: Artifact, chosen: Indices | None = None) -> Answers:
    """Run an artifact on its evaluation split and mark its decisions.

    All of them, or those on the samples with the indices `chosen`. Raises MeasurementError for an
    empty split, outputs that are not finite, or labels that do not fit.
    """
    return mark_answers(artifact, predict(artifact, chosen=chosen), chosen)


def mark_answers(artifact: Artifact, outputs: Outputs, chosen: Indices | None = None) -> Answers:
    """Mark an artifact's outputs on its evaluation split as right or wrong; raises as `answers`."""
    decisions = decide(outputs.raw, artifact.name)
    n = len(decisions.chosen) if chosen is None else len(artifact.evaluation.x)
    labels = _labels(artifact, n, decisions.classes)
    if chosen is not None:
        labels = labels[chosen]
    return Answers(right=decisions.chosen == labels, labels=labels, ties=decisions.ties)


def _labels(artifact: Artifact, n: int, classes: int) -> NDArray[Any]:
    split = artifact.evaluation
    if split.y is None:
        raise MeasurementError(
            f"the evaluation split of {artifact.name} has no labels, so it has no accuracy",
            remedy="compare it with its reference: agreement=..., output_error=...",
        )
    stored: Any = split.y
    labels: NDArray[Any] = stored[:] if stored.ndim == 1 else stored  # masks may stay on disk
    if split.has_frame_labels:
        raise labels_are_of_frames(f"the accuracy of {artifact.name}")
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise MeasurementError(
            f"the labels of {artifact.name} do not fit its samples",
            expected=f"{n:,} integers, shape ({n},)",
            got=f"{labels.dtype} of shape {labels.shape}",
            remedy="check the data set: one class number for each sample",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes or len(split.classes) != classes:
        raise MeasurementError(
            f"the {classes} outputs of {artifact.name} do not fit its classes",
            expected=f"{classes} class names and labels from 0 to {classes - 1}",
            got=f"{len(split.classes)} class names and labels from {low} to {high}",
            remedy="compare the network's last layer with the data set's labels and classes",
        )
    return labels.astype(np.intp, copy=False)


def accuracy(artifact: Artifact, limit: Quantity | None = None, *, checks: int = 1) -> Measurement:
    """Measure top-1 accuracy; Wilson's one-sided 95 % limit decides a floor.

    On a runtime besides the default one, the samples stop as soon as they decide the floor `limit`
    (see `judge_samples`).
    """
    candidate = with_whole_split(artifact) if limit else artifact
    samples = judge_samples(
        (candidate,),
        lambda chosen: ~answers(candidate, chosen).right,
        limit,
        Relation.AT_LEAST,
        checks=checks,
    )
    marks = answers(candidate, samples.chosen)
    n, right = len(marks.right), int(marks.right.sum())
    measurement = share(
        Name.ACCURACY,
        artifact.name,
        marks.right,
        samples.groups,
        evidence=(
            f"{right:,} of {n:,} samples right",
            *_worst_class(marks, artifact.evaluation.classes),
            *tie_evidence(marks.ties),
        ),
        artifacts=(artifact.sha256,),
    )
    return samples.explain(measurement)


def _worst_class(marks: Answers, names: Sequence[str]) -> tuple[str, ...]:
    """Name the class with the smallest share of right answers, if they differ among classes."""
    counts = np.bincount(marks.labels, minlength=len(names))
    right = np.bincount(marks.labels[marks.right], minlength=len(names))
    shares = np.divide(right, counts, out=np.full(len(names), np.nan), where=counts > 0)
    if not np.nanmin(shares) < np.nanmax(shares):
        return ()
    worst = int(np.nanargmin(shares))
    return (f'worst class "{names[worst]}": {right[worst]:,} of {counts[worst]:,} right',)


def with_reference(verdict: Verdict, reference: Artifact) -> Verdict:
    """Add the accuracy of the float reference to a verdict on a floor that it did not keep.

    It tells a poor network from a poor quantization. A reference without accuracy adds nothing.
    """
    try:
        value = accuracy(reference).value
    except LitegateError:
        return verdict  # the checks that need the reference report the error
    shown = text(value, Unit.PERCENT)
    fact = f"the float reference, {reference.recipe.name}, has {shown} on the same samples"
    if value < verdict.limit.value:
        fact += ": quantization is not the cause"
    measurement = verdict.measurement
    return replace(
        verdict, measurement=replace(measurement, evidence=(fact, *measurement.evidence))
    )


def is_below(artifact: Artifact, limit: Quantity) -> bool:
    """Return True if an artifact's measured accuracy is below a limit; False if it has none."""
    try:
        return bool(accuracy(artifact).value < limit.value)
    except LitegateError:
        return False


def flips(reference: Artifact, candidate: Artifact) -> FlipCounts:
    """Count the samples that exactly one of two artifacts gets right.

    Raises MeasurementError if their evaluation splits differ.
    """
    before, after = _answer_pair(reference, candidate)
    return count_flips(before.right, after.right)


def _answer_pair(reference: Artifact, candidate: Artifact) -> tuple[Answers, Answers]:
    demand_comparable(reference, candidate)
    return answers(reference), answers(candidate)


def accuracy_drop(
    reference: Artifact,
    candidate: Artifact,
    limit: Quantity | None = None,
    *,
    checks: int = 1,
) -> Measurement:
    """Measure the top-1 accuracy that the candidate loses; negative if it gains.

    On a runtime besides the default one, the samples stop as soon as they decide `limit`.
    """
    return _measure_drop(Name.ACCURACY_DROP, Unit.POINTS, reference, candidate, limit, checks)


def extra_errors(
    reference: Artifact,
    candidate: Artifact,
    limit: Quantity | None = None,
    *,
    checks: int = 1,
) -> Measurement:
    """Measure additional wrong answers per thousand samples, with the growth of the errors.

    On a runtime besides the default one, the samples stop as soon as they decide `limit`.
    """
    return _measure_drop(Name.EXTRA_ERRORS, Unit.PER_THOUSAND, reference, candidate, limit, checks)


def _measure_drop(
    name: str,
    unit: Unit,
    reference: Artifact,
    candidate: Artifact,
    limit: Quantity | None,
    checks: int,
) -> Measurement:
    if limit:
        reference, candidate = map(with_whole_split, (reference, candidate))
    demand_comparable(reference, candidate)

    def losses_of(chosen: Indices) -> NDArray[np.int8]:
        before, after = (answers(side, chosen).right for side in (reference, candidate))
        return before.astype(np.int8) - after.astype(np.int8)

    samples = judge_samples(
        (reference, candidate), losses_of, limit, Relation.AT_MOST, checks=checks, least=-1
    )
    before, after = (answers(side, samples.chosen) for side in (reference, candidate))
    errors = [int((~side.right).sum()) for side in (before, after)]
    growth = (error_growth(*errors),) if name == Name.EXTRA_ERRORS else ()
    measurement = drop(
        name,
        candidate.name,
        count_flips_of(samples.groups, before.right, after.right),
        unit=unit,
        evidence=(*growth, *_ties(reference, before, after)),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )
    return samples.explain(measurement)


def error_growth(before: int, after: int) -> str:
    """Describe the growth of the errors: "15 errors for 5, 3.00 times as many"."""
    if before:
        return f"{after:,} errors for {before:,}, {after / before:.2f} times as many"
    return f"{after:,} errors where there were none" if after else "no errors in either"


def _ties(reference: Artifact, before: Answers, after: Answers) -> tuple[str, ...]:
    return (
        *tie_evidence(before.ties, f" in {reference.name}"),
        *tie_evidence(after.ties, " in the candidate"),
    )


def slice_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """Measure the accuracy drop of the slice of the evaluation split that loses most.

    Raises MeasurementError if there are no slices.
    """
    before, after = _answer_pair(reference, candidate)
    split = reference.evaluation
    return worst_drop(
        candidate.name,
        tuple(demand_slices(split)),
        count_flips_by_slice(split, before.right, after.right),
        noun="slice",
        evidence=_ties(reference, before, after),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def class_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """Measure the accuracy drop of the class that loses most.

    Raises MeasurementError if a class has no sample in the evaluation split.
    """
    before, after = _answer_pair(reference, candidate)
    names, split = candidate.evaluation.classes, reference.evaluation
    return worst_drop(
        candidate.name,
        names,
        [
            count_flips_in(split, before.right, after.right, mask)
            for mask in class_masks(before.labels, names)
        ],
        evidence=_ties(reference, before, after),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )

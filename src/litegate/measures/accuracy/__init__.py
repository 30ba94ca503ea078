"""Accuracy: top-1 of the bytes that ship, and what quantizing costs of it.

A drop is paired: the same samples through both artifacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.accuracy.decisions import decide, demand_comparable, tied
from litegate.measures.accuracy.duplicates import originals
from litegate.measures.accuracy.flips import (
    Marks,
    by_class,
    demand_slices,
    flipped,
    flipped_by_slice,
    flipped_of,
)
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.shares import Counted, drop, share, worst_drop
from litegate.measures.measurement import Measurement
from litegate.measures.statistics.proportions import Pairs
from litegate.runtimes.inference import Outputs, predict
from litegate.spec import Artifact


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """How an artifact did on its evaluation split."""

    right: Marks
    """Whether each sample was put in its class."""
    labels: NDArray[Any]
    """The class of each sample, integers, shape (n,)."""
    ties: int
    """Samples with more than one highest score."""


def answers(artifact: Artifact) -> Answers:
    """Run an artifact on its evaluation split and mark its decisions.

    MeasurementError for an empty split, outputs that are not finite, or labels that do not fit.
    """
    return marked(artifact, predict(artifact))


def marked(artifact: Artifact, outputs: Outputs) -> Answers:
    """Mark what an artifact answered to its evaluation split; raises as `answers` does."""
    decisions = decide(outputs.raw, artifact.name)
    labels = _labels(artifact, len(decisions.chosen), decisions.classes)
    return Answers(right=decisions.chosen == labels, labels=labels, ties=decisions.ties)


def _labels(artifact: Artifact, n: int, classes: int) -> NDArray[Any]:
    split = artifact.evaluation
    if split.y is None:
        raise MeasurementError(
            f"the evaluation split of {artifact.name} has no labels, so it has no accuracy",
            remedy="hold it to its reference: agreement=..., output_error=...",
        )
    held: Any = split.y
    labels: NDArray[Any] = held[:] if held.ndim == 1 else held  # masks may stay on disk
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise MeasurementError(
            f"the labels of {artifact.name} do not fit its samples",
            expected=f"{n:,} integers, shape ({n},)",
            got=f"{labels.dtype} of shape {labels.shape}",
            remedy="look at the data set: one class number a sample",
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


def accuracy(artifact: Artifact) -> Measurement:
    """Top-1 accuracy on the evaluation split; Wilson's one-sided 95 % limit decides a floor."""
    marked = answers(artifact)
    n, right = len(marked.right), int(marked.right.sum())
    return share(
        "accuracy",
        artifact.name,
        marked.right,
        originals(artifact.evaluation),
        evidence=(f"{right:,} of {n:,} samples right", *tied(marked.ties)),
        artifacts=(artifact.sha256,),
    )


def flips(reference: Artifact, candidate: Artifact) -> Pairs:
    """Count the samples that exactly one of two artifacts gets right.

    MeasurementError where their evaluation splits are not the same.
    """
    return flipped(*(one.right for one in _both(reference, candidate)))


def _both(reference: Artifact, candidate: Artifact) -> tuple[Answers, Answers]:
    demand_comparable(reference, candidate)
    return answers(reference), answers(candidate)


def _flipped(reference: Artifact, before: Answers, after: Answers) -> Counted:
    every = np.ones_like(before.right)
    return flipped_of(reference.evaluation, before.right, after.right, every)


def accuracy_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """Top-1 accuracy that the candidate loses against the reference; below zero where it gains."""
    before, after = _both(reference, candidate)
    return drop(
        "accuracy drop",
        candidate.name,
        _flipped(reference, before, after),
        evidence=_ties(before, after),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def extra_errors(reference: Artifact, candidate: Artifact) -> Measurement:
    """Additional wrong answers for each thousand samples, and how many times the errors grew."""
    before, after = _both(reference, candidate)
    wrong = [int((~one.right).sum()) for one in (before, after)]
    return drop(
        "number of extra errors",
        candidate.name,
        _flipped(reference, before, after),
        unit=Unit.PER_THOUSAND,
        evidence=(growth(*wrong), *_ties(before, after)),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def growth(before: int, after: int) -> str:
    """Say how many times the errors grew: "15 errors for 5, 3.00 times as many"."""
    if before:
        return f"{after:,} errors for {before:,}, {after / before:.2f} times as many"
    return f"{after:,} errors where there were none" if after else "no errors in either"


def _ties(before: Answers, after: Answers) -> tuple[str, ...]:
    return (*tied(before.ties, " in the reference"), *tied(after.ties, " in the candidate"))


def slice_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """The accuracy drop of the slice of the evaluation split that loses most.

    MeasurementError where there is no slice.
    """
    before, after = _both(reference, candidate)
    split = reference.evaluation
    return worst_drop(
        candidate.name,
        tuple(demand_slices(split)),
        flipped_by_slice(split, before.right, after.right),
        noun="slice",
        evidence=_ties(before, after),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def class_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """The accuracy drop of the class that loses most.

    MeasurementError where a class has no sample in the evaluation split.
    """
    before, after = _both(reference, candidate)
    names, split = candidate.evaluation.classes, reference.evaluation
    classes = by_class(before.labels, names)
    return worst_drop(
        candidate.name,
        names,
        [flipped_of(split, before.right, after.right, each) for each in classes],
        evidence=_ties(before, after),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )

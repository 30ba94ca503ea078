"""Accuracy: top-1 of the bytes that ship, and what quantizing costs of it.

A drop is paired: the same samples through both artifacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.errors import MeasurementError
from litegate.measurement import Measurement
from litegate.measures.decisions import decide, demand_same_split, tied
from litegate.measures.distinct import firsts, originals
from litegate.measures.layer_error import divergence
from litegate.measures.paired import Pairs
from litegate.measures.shares import Counted, drop, share, worst_drop
from litegate.runtime import predict
from litegate.spec import Artifact
from litegate.units import Unit

Marks = NDArray[np.bool_]
"""Whether each sample was put in its class, shape (n,)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """How an artifact did on its evaluation split."""

    right: Marks
    labels: NDArray[Any]
    """The class of each sample, integers, shape (n,)."""
    ties: int
    """Samples with more than one highest score."""


def answers(artifact: Artifact) -> Answers:
    """Run an artifact on its evaluation split and mark its decisions.

    MeasurementError for an empty split, outputs that are not finite, or labels that do not fit.
    """
    decisions = decide(predict(artifact).raw, artifact.name)
    labels = _labels(artifact, len(decisions.chosen), decisions.classes)
    return Answers(right=decisions.chosen == labels, labels=labels, ties=decisions.ties)


def _labels(artifact: Artifact, n: int, classes: int) -> NDArray[Any]:
    split = artifact.evaluation
    if split.y is None:
        raise MeasurementError(
            f"the evaluation split of {artifact.name} has no labels, so it has no accuracy",
            remedy="hold it to its reference: agreement=..., output_error=...",
        )
    labels = np.asarray(split.y)
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
    return labels


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
    return pairs(*(one.right for one in _both(reference, candidate)))


def pairs(before: Marks, after: Marks) -> Pairs:
    """Count the flips between two rows of marks of the same samples."""
    return Pairs(
        n=len(before), broken=int((before & ~after).sum()), fixed=int((~before & after).sum())
    )


def _counted(reference: Artifact, before: Marks, after: Marks) -> Counted:
    """The flips of all samples and of the distinct ones, of the reference's evaluation split."""
    once = firsts(originals(reference.evaluation))
    return Counted(every=pairs(before, after), distinct=pairs(before[once], after[once]))


def _both(reference: Artifact, candidate: Artifact) -> tuple[Answers, Answers]:
    demand_same_split(reference, candidate)
    return answers(reference), answers(candidate)


def accuracy_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """Top-1 accuracy that the candidate loses against the reference; below zero where it gains."""
    before, after = _both(reference, candidate)
    return drop(
        "accuracy drop",
        candidate.name,
        _counted(reference, before.right, after.right),
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
        _counted(reference, before.right, after.right),
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


def class_drop(reference: Artifact, candidate: Artifact) -> Measurement:
    """The accuracy drop of the class that loses most.

    MeasurementError where a class has no sample in the evaluation split.
    """
    before, after = _both(reference, candidate)
    names, groups = candidate.evaluation.classes, originals(reference.evaluation)
    once = firsts(groups * len(names) + before.labels)
    by_class = zip(
        class_pairs(before.labels, before.right, after.right, names),
        class_pairs(before.labels[once], before.right[once], after.right[once], names),
        strict=True,
    )
    return worst_drop(
        candidate.name,
        names,
        [Counted(every=every, distinct=distinct) for every, distinct in by_class],
        evidence=_ties(before, after),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def class_pairs(
    labels: NDArray[Any], before: Marks, after: Marks, names: tuple[str, ...]
) -> tuple[Pairs, ...]:
    """Count the flips of each class, in the order of `names`."""
    n, broken, fixed = (
        np.bincount(labels[which], minlength=len(names)).tolist()
        for which in (np.ones_like(before), before & ~after, ~before & after)
    )
    empty = [name for name, count in zip(names, n, strict=True) if not count]
    if empty:
        raise MeasurementError(
            f"{len(empty)} of {len(names)} classes have no sample in the evaluation split",
            expected="at least one sample of each",
            got=f"none of {', '.join(empty[:8])}",
            remedy="add samples of them, or leave class_drop out of the budget",
        )
    return tuple(Pairs(n=a, broken=b, fixed=c) for a, b, c in zip(n, broken, fixed, strict=True))

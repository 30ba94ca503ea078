"""Turn a model's outputs into decisions: the class with the highest score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.digests import short_digest
from litegate.core.errors import MeasurementError
from litegate.data.disk_arrays import in_parts, part_slices
from litegate.runtimes.inference import first_samples, predict, predict_at
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """The classes that were chosen for n samples."""

    chosen: NDArray[np.intp]
    """The class with the highest score, shape (n,); the lowest index of tied classes."""
    classes: int
    """Number of classes to choose from."""
    ties: int
    """Number of samples with more than one highest score."""


def decide(scores: NDArray[Any], subject: str) -> Decisions:
    """Choose the class of each row of scores, shape (n, classes), of any numeric type.

    `scores` may be a `DiskArray`. Raises MeasurementError for no sample, a score that is
    NaN or infinite, fewer than two classes, or more dimensions, such as a score for each pixel.
    """
    demand_finite_values(scores, subject)
    classes = scores.size // len(scores)
    if classes < 2 or classes not in scores.shape[1:]:
        raise MeasurementError(
            f"{subject} is not a classifier",
            expected="one score for each of at least two classes",
            got=f"outputs of shape {scores.shape}",
            remedy="use accuracy only for networks with one output for each class, and "
            "metrics=... or output_error=... for others",
        )
    decided = [_decide_part(part.reshape(len(part), -1)) for part in in_parts(scores)]
    chosen = np.concatenate([part for part, _ in decided])
    return Decisions(chosen=chosen, classes=classes, ties=sum(ties for _, ties in decided))


def _decide_part(flat: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    """Return the class of each sample, and the number of samples with a tie."""
    highest = flat.max(axis=1, keepdims=True)
    return flat.argmax(axis=1), int(((flat == highest).sum(axis=1) > 1).sum())


def chooses(artifact: Artifact) -> bool:
    """Return True if an artifact has an accuracy: one score for each class of its labels.

    Raises as `predict`.
    """
    split = artifact.evaluation
    if split.y is None or not split.classes or split.y.ndim != 1 or split.y.dtype.kind not in "iu":
        return False
    if split.has_frame_labels:
        return False
    outputs = predict(artifact, chosen=first_samples(artifact))
    return bool(prod(outputs.raw.shape[1:]) == len(split.classes))


def labels_are_of_frames(subject: str) -> MeasurementError:
    """Return the error of a measure of samples that are sequences, whose labels are of frames."""
    return MeasurementError(
        f"{subject} is of sequences, but the labels are of their frames",
        expected="a label for each sequence",
        remedy="limit lg.metrics.frame_accuracy(least=...), or the false accepts of a detector",
    )


def demand_finite_values(values: NDArray[Any], subject: str) -> NDArray[Any]:
    """Return the values, shape (n, ...). Raises MeasurementError for none, NaN or infinity."""
    _demand_finite(in_parts(values), subject)
    return values


def demand_finite_outputs(outputs: Outputs, subject: str) -> None:
    """Raise MeasurementError if the real values of outputs are missing, NaN or infinite."""
    _demand_finite((outputs[part].real for part in part_slices(outputs.raw)), subject)


def _demand_finite(parts: Iterable[NDArray[Any]], subject: str) -> None:
    masks = [np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in parts if part.size]
    if not masks:
        raise MeasurementError(f"there are no outputs of {subject}", expected="at least one sample")
    is_finite = np.concatenate(masks)
    if not is_finite.all():
        first = int(np.flatnonzero(~is_finite)[0])
        raise MeasurementError(
            f"outputs of {subject} are NaN or infinite for {int((~is_finite).sum()):,} of"
            f" {len(is_finite):,} samples",
            expected="finite outputs",
            got=f"sample {first} is the first",
            remedy="check for NaN or infinity in its weights and biases, and in the data",
        )


def demand_same_split(reference: Artifact, candidate: Artifact) -> None:
    """Raise MeasurementError if two artifacts have different evaluation splits."""
    expected, got = reference.evaluation.digest, candidate.evaluation.digest
    if expected != got:
        raise MeasurementError(
            f"{reference.name} and {candidate.name} have different evaluation splits",
            expected=f"{short_digest(expected)} for both",
            got=f"{short_digest(got)} for {candidate.name}",
            remedy="build both again from the same data",
        )


def demand_comparable(reference: Artifact, candidate: Artifact) -> None:
    """Raise MeasurementError if two artifacts differ in evaluation split or deciding output.

    Without `Data.output` the first output decides, which a new name or order may change.
    """
    demand_same_split(reference, candidate)
    if candidate.evaluation.output:
        return
    sides = [predict_at(side, first_samples(side)) for side in (reference, candidate)]
    if all(len(outputs) == 1 for outputs in sides):
        return
    expected, got = (next(iter(outputs.values())).port.name for outputs in sides)
    if expected != got:
        raise MeasurementError(
            f"{reference.name} and {candidate.name} are judged by different outputs",
            expected=f"{expected} for both",
            got=f"{got} of {candidate.name}, its first",
            remedy="name the deciding output: lg.Data(output=...)",
        )


def tie_evidence(ties: int, owner: str = "") -> tuple[str, ...]:
    """Return the evidence of ties; empty without ties."""
    if not ties:
        return ()
    noun = "tie" if ties == 1 else "ties"
    return (f"{ties:,} {noun}{owner}, decided for the lowest index",)

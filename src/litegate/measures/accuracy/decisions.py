"""From a model's outputs to its decisions: the class with the highest score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.data.disk_arrays import in_parts, together
from litegate.runtimes.inference import Outputs, predict, predict_all
from litegate.spec import Artifact


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What was decided on n samples."""

    chosen: NDArray[np.intp]
    """The class of the highest score, shape (n,); of equal scores the lowest index."""
    classes: int
    """How many classes there are to choose from."""
    ties: int
    """Samples with more than one highest score."""


def decide(scores: NDArray[Any], subject: str) -> Decisions:
    """Decide on scores of shape (n, classes), in any numeric type; an array, or `Rows`.

    MeasurementError for no sample, a score that is NaN or infinite, fewer than two classes, or
    outputs of more dimensions, such as a score for each pixel.
    """
    finite(scores, subject)
    classes = scores.size // len(scores)
    if classes < 2 or classes not in scores.shape[1:]:
        raise MeasurementError(
            f"{subject} does not choose between classes",
            expected="one score for each of at least two classes",
            got=f"outputs of shape {scores.shape}",
            remedy="measure accuracy only of networks that end in one output a class; others have "
            "metrics=... and output_error=...",
        )
    found = [_decided(part.reshape(len(part), -1)) for part in in_parts(scores)]
    chosen = np.concatenate([one for one, _ in found])
    return Decisions(chosen=chosen, classes=classes, ties=sum(ties for _, ties in found))


def _decided(flat: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    """The class of each sample, and how many samples are tied."""
    highest = flat.max(axis=1, keepdims=True)
    return flat.argmax(axis=1), int(((flat == highest).sum(axis=1) > 1).sum())


def chooses(artifact: Artifact) -> bool:
    """Whether an artifact gives one score for each class of its labels: then it has an accuracy.

    Raises as `predict`.
    """
    split = artifact.evaluation
    if split.y is None or not split.classes or split.y.ndim != 1 or split.y.dtype.kind not in "iu":
        return False
    return bool(prod(predict(artifact).raw.shape[1:]) == len(split.classes))


def finite(values: NDArray[Any], subject: str) -> NDArray[Any]:
    """The values themselves, shape (n, ...); MeasurementError for none, or NaN or infinity."""
    _demand_finite(in_parts(values), subject)
    return values


def demand_finite(outputs: Outputs, subject: str) -> None:
    """As `finite`, of what outputs mean."""
    _demand_finite((outputs[part].real for part in together(outputs.raw)), subject)


def _demand_finite(parts: Iterable[NDArray[Any]], subject: str) -> None:
    found = [np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in parts if part.size]
    if not found:
        raise MeasurementError(f"there are no outputs of {subject}", expected="at least one sample")
    sound = np.concatenate(found)
    if not sound.all():
        first = int(np.flatnonzero(~sound)[0])
        raise MeasurementError(
            f"outputs of {subject} are NaN or infinite for {int((~sound).sum()):,} of"
            f" {len(sound):,} samples",
            expected="finite outputs",
            got=f"sample {first} is the first",
            remedy="look for NaN or infinity in its weights and biases, and in the data",
        )


def demand_same_split(reference: Artifact, candidate: Artifact) -> None:
    """Raise MeasurementError where two artifacts have different evaluation splits."""
    one, other = reference.evaluation.digest, candidate.evaluation.digest
    if one != other:
        raise MeasurementError(
            f"{reference.name} and {candidate.name} have different evaluation splits",
            expected=f"{one[:12]} for both",
            got=f"{other[:12]} for {candidate.name}",
            remedy="build both again from the same data",
        )


def demand_comparable(reference: Artifact, candidate: Artifact) -> None:
    """As `demand_same_split`, and where two are judged by the answers of different outputs.

    Without `Data.output` it is the first of each, which another name or order makes another one.
    """
    demand_same_split(reference, candidate)
    sides = (reference, candidate)
    if candidate.evaluation.output or all(len(predict_all(each)) == 1 for each in sides):
        return
    one, other = (predict(each).port.name for each in sides)
    if one != other:
        raise MeasurementError(
            f"{reference.name} and {candidate.name} are judged by different outputs",
            expected=f"{one} of both",
            got=f"{other} of {candidate.name}, its first",
            remedy="say which one decides: lg.Data(output=...)",
        )


def tied(ties: int, whose: str = "") -> tuple[str, ...]:
    """The evidence of ties, or nothing where there is none."""
    if not ties:
        return ()
    noun = "tie" if ties == 1 else "ties"
    return (f"{ties:,} {noun}{whose}, decided for the lowest index",)

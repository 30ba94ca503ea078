"""Take the samples on which sets of layers are compared, apart from those that judge the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from litegate.build.external_files import ExternalFiles
from litegate.build.toolchain.calibration import calibration_indices
from litegate.core.digests import digest_of
from litegate.spec import Evaluation, Model, Recipe, Splits

MOST = 10_000
"""Samples of the training split: as many as MNIST's or CIFAR-10's test split has.

Each of up to 46 files runs on all of them, and more would hardly change the order of the sets."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The samples that choose among sets of layers, and those that judge the chosen ones."""

    chooses: Evaluation
    judges: Evaluation
    is_half: bool = False
    """True if both are halves of the evaluation split."""
    description: str
    """The origin of the samples that choose, for the output."""


def choice(files: ExternalFiles, model: Model, recipe: Recipe, evaluation: Evaluation) -> Choice:
    """Return samples of the training split that did not calibrate, or halves of the evaluation's.

    The halves are taken if the training split has too few samples, or other labels. Raises as
    `ExternalFiles.prepared`.
    """
    if evaluation.sequences is None and not recipe.chosen_on_half:
        splits = files.prepared(model.data)
        if (chooses := _of_training(splits, model, recipe, evaluation)) is not None:
            trained = "" if model.prebuilt else ", which trained the network"
            count = len(chooses.x)
            description = f"{count:,} samples of the training split that did not calibrate{trained}"
            return Choice(chooses=chooses, judges=evaluation, description=description)
    chooses, judges = halves(evaluation, model.training.seed)
    description = f"a seeded half of the evaluation split, {len(chooses.x):,} samples"
    return Choice(chooses=chooses, judges=judges, is_half=True, description=description)


def halves(evaluation: Evaluation, seed: int) -> tuple[Evaluation, Evaluation]:
    """Return the half of a split that chooses layers, and the other one, which judges them."""
    order = np.random.default_rng(seed).permutation(len(evaluation.x))
    middle = len(order) // 2
    first, second = (np.sort(half) for half in (order[:middle], order[middle:]))
    return evaluation.some(first), evaluation.some(second)


def _of_training(
    splits: Splits, model: Model, recipe: Recipe, evaluation: Evaluation
) -> Evaluation | None:
    x: Any = splits.x_train
    y = _labels(splits, evaluation)
    if x is None or (evaluation.y is None) is not (y is None):
        return None
    if y is not None and (y.dtype.kind, y.shape[1:]) != (
        evaluation.y.dtype.kind,
        evaluation.y.shape[1:],
    ):
        return None  # such as inputs, which an autoencoder learns to repeat
    calibrated = calibration_indices(len(x), recipe, model.training)
    order = np.random.default_rng(model.training.seed).permutation(len(x))[len(calibrated) :]
    if 2 * len(order) < len(evaluation.x):
        return None
    chosen = np.sort(order[:MOST])
    digest = digest_of(["training split", evaluation.digest, chosen.tolist()])
    return replace(
        evaluation,
        digest=digest,
        x=x[chosen],
        y=None if y is None else y[chosen],
        slices={},
        leaked_samples=None,
    )


def _labels(splits: Splits, evaluation: Evaluation) -> Any:
    y: Any = splits.y_train
    if not isinstance(y, dict):
        return None if y is None else np.asarray(y)
    return np.asarray(y[evaluation.output]) if evaluation.output in y else None

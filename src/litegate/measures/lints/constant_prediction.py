"""Warn about networks that always predict the same class."""

from __future__ import annotations

import numpy as np

from litegate.measures.accuracy.decisions import chooses, decide
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Budget


def constant_prediction_notes(budget: Budget, artifact: Artifact) -> tuple[str, ...]:
    """Return a note if an artifact puts every sample of its split into one class.

    A split whose labels are all of one class gets another note (see `undecidable_limits`). Raises
    as `predict` and `decide`.
    """
    split = artifact.evaluation
    has_accuracy = chooses(artifact)
    if not (has_accuracy or budget.agreement) or (
        has_accuracy and len(np.unique(np.asarray(split.y))) == 1
    ):
        return ()
    chosen = decide(predict(artifact).raw, artifact.name).chosen
    if len(chosen) == 1 or (chosen != chosen[0]).any():
        return ()
    class_index = int(chosen[0])
    name = f'"{split.classes[class_index]}"' if has_accuracy else str(class_index)
    note = f"it predicts class {name} for all {len(chosen):,} samples, so agreement proves nothing"
    return (note,)

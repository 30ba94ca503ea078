"""Networks that always decide alike: what is measured of their decisions says little."""

from __future__ import annotations

import numpy as np

from litegate.measures.accuracy.decisions import chooses, decide
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Budget


def one_answer(budget: Budget, artifact: Artifact) -> tuple[str, ...]:
    """A note where an artifact that is to decide puts every sample of its split into one class.

    Of labels that are all of one class another note tells. Raises as `predict` and `decide`.
    """
    split = artifact.evaluation
    rated = chooses(artifact)
    if not (rated or budget.agreement) or (rated and len(np.unique(np.asarray(split.y))) == 1):
        return ()
    chosen = decide(predict(artifact).raw, artifact.name).chosen
    if len(chosen) == 1 or (chosen != chosen[0]).any():
        return ()
    number = int(chosen[0])
    name = f'"{split.classes[number]}"' if rated else str(number)
    note = f"it puts all {len(chosen):,} samples into class {name}: agreement proves nothing of it"
    return (note,)

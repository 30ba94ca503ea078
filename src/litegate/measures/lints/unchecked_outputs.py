"""Outputs that nothing holds: besides the one that decides, where no limit is of every output."""

from __future__ import annotations

from math import prod

from litegate.runtimes.inference import predict, predict_all
from litegate.spec import Artifact, Budget
from litegate.tflite.ports import listed


def unheld(budget: Budget, artifact: Artifact) -> tuple[str, ...]:
    """A note that names the outputs of an artifact which could change unnoticed.

    Accuracy and metrics are of the output that decides, agreement is of those that choose between
    classes, and what compares values is of all. Raises as `predict`.
    """
    if budget.output_error or budget.keras_difference:
        return ()
    found, deciding = predict_all(artifact), predict(artifact).port.name
    against = budget.regression.agreement if budget.regression else None
    alike = budget.agreement or budget.keras_agreement or against
    held = {n for n, one in found.items() if alike and prod(one.raw.shape[1:]) > 1} | {deciding}
    left = [name for name in found if name not in held]
    if not left:
        return ()
    note = (
        f"nothing holds {listed(left)}, besides {deciding}, which decides: output_error and"
        " keras_difference are of every output, agreement of those that choose between classes"
    )
    return (note,)

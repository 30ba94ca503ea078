"""Warn about outputs that no limit covers."""

from __future__ import annotations

from math import prod

from litegate.runtimes.inference import predict, predict_all
from litegate.spec import Artifact, Budget
from litegate.tflite.ports import join_names


def unchecked_output_notes(budget: Budget, artifact: Artifact) -> tuple[str, ...]:
    """Return a note that names the outputs of an artifact that could change unnoticed.

    Accuracy and metrics cover the deciding output, agreement covers the outputs that choose between
    classes; limits on values, and metrics of boxes, cover all. Raises as `predict`.
    """
    if budget.output_error or budget.keras_difference:
        return ()
    if any(metric.is_of_boxes for metric in budget.metrics):
        return ()
    outputs, deciding = predict_all(artifact), predict(artifact).port.name
    base_agreement = budget.regression.agreement if budget.regression else None
    checked = {deciding}
    if budget.agreement or budget.keras_agreement or base_agreement:
        checked |= {name for name, output in outputs.items() if prod(output.raw.shape[1:]) > 1}
    unchecked = [name for name in outputs if name not in checked]
    if not unchecked:
        return ()
    note = (
        f"no limit covers {join_names(unchecked)}: most limits apply only to {deciding}, the "
        "deciding output; output_error and keras_difference cover every output, agreement "
        "every classifier"
    )
    return (note,)

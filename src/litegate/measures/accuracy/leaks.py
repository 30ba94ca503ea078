"""Measure how many evaluation samples are also in the training split, and warn about them."""

from __future__ import annotations

from collections.abc import Iterable

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.spec import Artifact, Model


def leaked_samples(artifact: Artifact) -> Measurement:
    """Count the distinct evaluation samples that are also in the training split.

    They were compared byte for byte before the preprocessing. Raises MeasurementError if the
    training split is unknown, as for ready-made files.
    """
    split = artifact.evaluation
    if split.leaked_samples is None:
        raise MeasurementError(
            f"the training split of {artifact.name} is unknown",
            expected="a training split to compare the evaluation samples with",
            remedy="remove leaked_samples from the budget",
        )
    return Measurement(
        name=Name.LEAKED_SAMPLES,
        subject=artifact.name,
        value=split.leaked_samples,
        unit=Unit.COUNT,
        n=len(split.x),
        evidence=(f"distinct samples of the {len(split.x):,} that the network was trained on",)
        if split.leaked_samples
        else (),
        artifacts=(artifact.sha256,),
    )


def leaked_sample_notes(model: Model, artifacts: Iterable[Artifact]) -> tuple[str, ...]:
    """Return a note if evaluation samples are in the training split and no budget limits that."""
    if any(model.budget_of(recipe).leaked_samples is not None for recipe in model.recipes):
        return ()
    split = next((artifact.evaluation for artifact in artifacts), None)
    if split is None or not split.leaked_samples:
        return ()
    note = (
        f"{model.name}: {split.leaked_samples:,} distinct samples of the {len(split.x):,} in "
        "the evaluation split are also in the training split, so the accuracy may be too "
        "high; Budget(leaked_samples=0) makes this a failure"
    )
    return (note,)

"""Compare all recipes of a model side by side: accuracy, size, arena, latency."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from typing import Any

from litegate.core.errors import LitegateError, MeasurementError
from litegate.data.duplicates import first_indices, originals, samples_in_words
from litegate.measures.accuracy import accuracy, accuracy_drop, answers
from litegate.measures.accuracy.decisions import chooses
from litegate.measures.latency.timing import quick_times
from litegate.measures.lints.constant_prediction import constant_prediction_notes
from litegate.measures.lints.gains import reference_gain_notes
from litegate.measures.lints.narrow_range import narrow_range_notes
from litegate.measures.lints.unchecked_outputs import unchecked_output_notes
from litegate.measures.lints.undecidable_limits import undecidable_limit_notes
from litegate.measures.measurement import Measurement
from litegate.measures.metrics.resampling import plain_value
from litegate.measures.metrics.streaming import detector_notes
from litegate.measures.structure.arena import arena
from litegate.measures.structure.size import compressed_size, size, size_ratio
from litegate.runtimes.inference import predict
from litegate.runtimes.program import Refused
from litegate.spec import Artifact, Budget, Model, Recipe, Regression
from litegate.spec.runtimes import XNNPACK


def overview(
    model: Model,
    artifacts: Mapping[str, Artifact],
    baseline: str,
    *,
    timed: bool = False,
    memory_on: str = XNNPACK,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each artifact that could be measured, and a note for each that could not.

    `artifacts` contains the plain float artifact under `baseline`, and the candidates' references.
    Latency is measured only if `timed`: it costs time that most runs do not have. The arena of all
    is measured on the runtime `memory_on`, so that the rows can be compared.
    """
    rows, measured, notes = [], {}, []
    recipes = {recipe.name: recipe for recipe in model.recipes}
    for name, artifact in artifacts.items():
        try:
            row = _row(model, artifact, recipes.get(name), artifacts, baseline)
            rows.append(row | {"arena": _arena(replace(artifact, runtime=memory_on))})
            measured[name] = artifact
            notes += _mismatch_notes(artifact)
        except LitegateError as error:
            notes.append(f"{artifact.name} cannot be shown beside the others: {error.what}")
    seconds = quick_times(measured) if timed else {}
    return [row | {"latency": seconds.get(row["recipe"])} for row in rows], notes


def _mismatch_notes(artifact: Artifact) -> list[str]:
    """Return a note if there is one label a sample, but not one output for each class."""
    split, shape = artifact.evaluation, predict(artifact).raw.shape[1:]
    labels: Any = split.y
    if chooses(artifact) or labels is None or not split.classes or labels.ndim != 1:
        return []
    note = (
        f"{artifact.name}: accuracy was not measured: its outputs of shape {shape} are not one"
        f" score for each of the {len(split.classes)} classes that its data set names"
    )
    return [note]


def recipe_notes(
    model: Model, artifacts: Mapping[str, Artifact], *, is_compared: bool = False
) -> list[str]:
    """Return notes on each gated recipe's limits, data and outputs that cannot show much.

    The default limits against a base count if the run `is_compared` with one.
    """
    notes: list[str] = []
    for recipe in model.recipes:
        reference = artifacts.get(recipe.reference.name)
        if recipe.gate and reference and recipe.name in artifacts:
            subject = f"{model.name}/{recipe.name}"
            budget = model.budget_of(recipe)
            if is_compared and not budget.regression:
                budget = replace(budget, regression=Regression())
            notes += [f"{subject}: {lint}" for lint in _limit_notes(budget, reference)]
            with suppress(LitegateError):  # the checks report the error
                hours = detector_notes(budget.metrics, artifacts[recipe.name])
                notes += [f"{subject}: {lint}" for lint in hours]
            with suppress(LitegateError):  # the checks report the error
                candidate = artifacts[recipe.name]
                warnings = (
                    *reference_gain_notes(reference, candidate),
                    *_batch_notes(candidate),
                    *narrow_range_notes(candidate),
                    *unchecked_output_notes(budget, candidate),
                    *constant_prediction_notes(budget, candidate),
                )
                notes += [f"{subject}: {warning}" for warning in warnings]
    return notes


def _batch_notes(candidate: Artifact) -> tuple[str, ...]:
    """Return a note if the tool chain had to fix the batch."""
    batch = candidate.certificate.get("batch")
    if not batch:
        return ()
    note = (
        f"the file has a fixed batch of {batch}, since TensorFlow cannot convert its "
        "recurrent layers with a variable one; the application must pass that many samples "
        "at a time"
    )
    return (note,)


def missing_accuracy_notes(model: Model) -> tuple[str, ...]:
    """Return a note if accuracy cannot be measured."""
    if model.has_accuracy:
        return ()
    note = (
        f"{model.name}: accuracy was not measured: its {_why_unmeasured(model)}; agreement, "
        "output_error or metrics limit it if the budget sets them"
    )
    return (note,)


def _why_unmeasured(model: Model) -> str:
    """Explain why a model does not choose between classes."""
    if not model.data.labels:
        return "evaluation split has no labels"
    if not model.data.classes:
        return "data set names no classes"
    metrics = (metric for recipe in model.recipes for metric in model.budget_of(recipe).metrics)
    name = next(metric.name for metric in metrics if not metric.fits_classifier)
    return f"metric {name} is for networks that do not classify"


def _limit_notes(budget: Budget, reference: Artifact) -> tuple[str, ...]:
    try:
        marked = answers(reference)
    except LitegateError:
        return ()  # the checks report the error
    classes = reference.evaluation.classes
    per_class = {name: int((marked.labels == number).sum()) for number, name in enumerate(classes)}
    per_slice = {name: int(mask.sum()) for name, mask in reference.evaluation.slices.items()}
    share = float(marked.right.mean())
    n, distinct = len(marked.right), len(first_indices(originals(reference.evaluation)))
    copies = f"evaluation split: {samples_in_words(n, distinct)}; copies prove nothing"
    notes = undecidable_limit_notes(
        budget, distinct, per_class, per_slice=per_slice, accuracy=share
    )
    return notes if n == distinct else (copies, *notes)


def _row(
    model: Model,
    artifact: Artifact,
    recipe: Recipe | None,
    artifacts: Mapping[str, Artifact],
    baseline: str,
) -> dict[str, Any]:
    is_baseline = artifact.recipe.name == baseline
    plain = None if is_baseline else artifacts.get(baseline)
    reference = artifacts.get(recipe.reference.name) if recipe and not is_baseline else None
    return {
        "model": model.name,
        "recipe": artifact.recipe.name,
        "kind": artifact.recipe.kind.value,
        "role": _role(recipe),
        "artifact": artifact.sha256,
        "accuracy": _value(accuracy(artifact)) if chooses(artifact) else None,
        "drop": _drop(reference, artifact),
        "drop_from_baseline": _drop(plain, artifact),
        "metrics": _metrics(model.budget_of(recipe) if recipe else model.budget, artifact),
        "bytes": int(size(artifact).value),
        "size_ratio": _value(size_ratio(artifact, plain)) if plain else None,
        "compressed_bytes": int(compressed_size(artifact).value),
    }


def _drop(reference: Artifact | None, artifact: Artifact) -> float | None:
    if reference is None or not chooses(artifact):
        return None
    return _value(accuracy_drop(reference, artifact))


def _metrics(budget: Budget, artifact: Artifact) -> dict[str, dict[str, Any]]:
    """Return each metric's value, unit and better side, without metrics that have no value."""
    columns: dict[str, dict[str, Any]] = {}
    for metric in budget.metrics:
        with suppress(LitegateError):  # the metric's check reports the error
            value = plain_value(artifact, metric)
            if isfinite(value):
                unit, better = metric.unit().value, metric.better.value
                columns[metric.name] = {"value": value, "unit": unit, "better": better}
    return columns


def _arena(artifact: Artifact) -> int | None:
    try:
        return int(arena(artifact).value)
    except (MeasurementError, Refused):
        # There is no plan of control flow or of a type without a size, and no record of a file that
        # the runtime refuses.
        return None


def _role(recipe: Recipe | None) -> str:
    if recipe is None:
        return "reference"
    return "gated" if recipe.gate else "shown"


def _value(measurement: Measurement) -> float:
    return float(measurement.value)

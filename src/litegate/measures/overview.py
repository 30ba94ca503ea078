"""All recipes of a model side by side: what each one costs and saves."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any

from litegate.core.errors import LitegateError, MeasurementError
from litegate.measures.accuracy import accuracy, accuracy_drop, answers
from litegate.measures.accuracy.decisions import chooses
from litegate.measures.accuracy.duplicates import counted, firsts, originals
from litegate.measures.latency.timing import glance
from litegate.measures.lints.constant_prediction import one_answer
from litegate.measures.lints.sample_range import narrow
from litegate.measures.lints.unchecked_outputs import unheld
from litegate.measures.lints.undecidable_limits import lints
from litegate.measures.measurement import Measurement
from litegate.measures.metrics.resampling import plain_value
from litegate.measures.structure.arena import arena
from litegate.measures.structure.size import compressed_size, size, size_ratio
from litegate.runtimes.inference import predict
from litegate.spec import Artifact, Budget, Model, Recipe


def overview(
    model: Model, artifacts: Mapping[str, Artifact], baseline: str, *, timed: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each recipe in `artifacts`, gated or shown beside, and a note for each that failed.

    `artifacts` holds the plain float artifact under `baseline`, and the candidates' references.
    Only a run that times (`timed`) has time for a glance at each one's latency.
    """
    rows, shown, notes = [], {}, []
    own = {recipe.name: recipe for recipe in model.recipes}
    for name, artifact in artifacts.items():
        try:
            rows.append(_row(model, artifact, own.get(name), artifacts, baseline))
            shown[name] = artifact
            notes += _mismatched(artifact)
        except LitegateError as error:
            notes.append(f"{artifact.name} cannot be shown beside the others: {error.what}")
    seconds = glance(shown) if timed else {}
    return [row | {"latency": seconds.get(row["recipe"])} for row in rows], notes


def _mismatched(artifact: Artifact) -> list[str]:
    """A note where labels are classes, one a sample, and outputs are not one score for each."""
    split, shape = artifact.evaluation, predict(artifact).raw.shape[1:]
    labels: Any = split.y
    if chooses(artifact) or labels is None or not split.classes or labels.ndim != 1:
        return []
    note = (
        f"{artifact.name}: accuracy was not measured: its outputs of shape {shape} are not one"
        f" score for each of the {len(split.classes)} classes that its data set names"
    )
    return [note]


def advice(model: Model, artifacts: Mapping[str, Artifact]) -> list[str]:
    """What every gated recipe's limits cannot decide on this evaluation split, or do not hold."""
    found: list[str] = []
    for recipe in model.recipes:
        own = artifacts.get(recipe.reference.name)
        if recipe.gate and own and recipe.name in artifacts:
            whose = f"{model.name}/{recipe.name}"
            found += [f"{whose}: {lint}" for lint in _lints(model, recipe, own)]
            with suppress(LitegateError):  # the checks say what is wrong
                mine = artifacts[recipe.name]
                budget = model.budget_of(recipe)
                told = (*narrow(mine), *unheld(budget, mine), *one_answer(budget, mine))
                found += [f"{whose}: {note}" for note in told]
    return found


def unlabelled(model: Model) -> tuple[str, ...]:
    """A note where accuracy cannot be measured."""
    if model.chooses:
        return ()
    note = (
        f"{model.name}: accuracy was not measured: its {_lacking(model)}; what holds it to its "
        "reference is agreement, output_error or metrics, where the budget sets them"
    )
    return (note,)


def _lacking(model: Model) -> str:
    """Why a model that does not choose between classes does not."""
    if not model.data.labels:
        return "evaluation split has no labels"
    if not model.data.classes:
        return "data set names no classes"
    metrics = (each for recipe in model.recipes for each in model.budget_of(recipe).metrics)
    other = next(each.name for each in metrics if not each.chooses)
    return f"metric {other} is of a network that chooses between no classes"


def _lints(model: Model, recipe: Recipe, reference: Artifact) -> tuple[str, ...]:
    try:
        marked = answers(reference)
    except LitegateError:
        return ()  # the checks say what is wrong
    classes = reference.evaluation.classes
    per_class = {name: int((marked.labels == i).sum()) for i, name in enumerate(classes)}
    per_slice = {name: int(mask.sum()) for name, mask in reference.evaluation.slices.items()}
    share = float(marked.right.mean())
    n, distinct = len(marked.right), len(firsts(originals(reference.evaluation)))
    copied = f"evaluation split: {counted(n, distinct)}; copies prove nothing"
    found = lints(model.budget_of(recipe), distinct, per_class, per_slice=per_slice, accuracy=share)
    return found if n == distinct else (copied, *found)


def _row(
    model: Model,
    artifact: Artifact,
    recipe: Recipe | None,
    artifacts: Mapping[str, Artifact],
    baseline: str,
) -> dict[str, Any]:
    is_plain = artifact.recipe.name == baseline
    plain = None if is_plain else artifacts.get(baseline)
    own = artifacts.get(recipe.reference.name) if recipe and not is_plain else None
    rated = chooses(artifact)
    return {
        "model": model.name,
        "recipe": artifact.recipe.name,
        "kind": artifact.recipe.kind.value,
        "role": _role(recipe),
        "artifact": artifact.sha256,
        "accuracy": _value(accuracy(artifact)) if rated else None,
        "drop": _value(accuracy_drop(own, artifact)) if own and rated else None,
        "drop_from_baseline": _value(accuracy_drop(plain, artifact)) if plain and rated else None,
        "metrics": _metrics(model.budget_of(recipe) if recipe else model.budget, artifact),
        "bytes": int(size(artifact).value),
        "size_ratio": _value(size_ratio(artifact, plain)) if plain else None,
        "compressed_bytes": int(compressed_size(artifact).value),
        "arena": _arena(artifact),
    }


def _metrics(budget: Budget, artifact: Artifact) -> dict[str, dict[str, Any]]:
    """Each metric's value, unit and better side; not of one without a value: its check says why."""
    found: dict[str, dict[str, Any]] = {}
    for metric in budget.metrics:
        with suppress(LitegateError):
            value = plain_value(artifact, metric)
            if isfinite(value):
                unit, better = metric.unit().value, metric.better.value
                found[metric.name] = {"value": value, "unit": unit, "better": better}
    return found


def _arena(artifact: Artifact) -> int | None:
    try:
        return int(arena(artifact).value)
    except MeasurementError:
        return None  # control flow, or a type without a size: there is no plan


def _role(recipe: Recipe | None) -> str:
    if recipe is None:
        return "reference"
    return "gated" if recipe.gate else "shown"


def _value(found: Measurement) -> float:
    return float(found.value)

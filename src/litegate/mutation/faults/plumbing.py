"""Plant faults around the model: a missing base, missing or copied samples, weakened limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import BuildError
from litegate.core.units import Quantity, Unit
from litegate.measures.accuracy import accuracy_drop, answers
from litegate.measures.names import Name
from litegate.measures.statistics.sample_sizes import n_least
from litegate.mutation.faults.edits import make_custom
from litegate.mutation.faults.fault import Expect, Family, Ladder, OfMetric, fault
from litegate.mutation.faults.layers import last
from litegate.mutation.faults.scene import Declaration, Scene, Unplantable, select_outputs
from litegate.regression.weakening.models import LEAST, MOST, limit_kind
from litegate.spec import Artifact, Samples, frames_of, map_samples
from litegate.tflite.editing.draft import edit
from litegate.tflite.npu import NPU_OPERATOR

_DROPS = (Name.ACCURACY_DROP, Name.EXTRA_ERRORS, Name.CLASS_DROP)
_SHARES = (Name.ACCURACY, Name.KERAS_AGREEMENT, Name.RUNTIME_AGREEMENT)
_AGAINST_BASE = (
    Name.ACCURACY_REGRESSION,
    Name.SIZE_GROWTH,
    Name.LOST_TYPES,
    Name.INTERFACE_CHANGES,
)


_OF_SAMPLES = (OfMetric.SLICE, OfMetric.VALUE, OfMetric.LOSS)


@fault(family=Family.PLUMBING, noticed_by=_AGAINST_BASE, metrics=(OfMetric.REGRESSION,))
def no_base(scene: Scene, _: float) -> Scene:
    """The base cannot be built, so that there is nothing to compare with."""
    error = BuildError(f"the base's {scene.name} could not be built", remedy="check its build log")
    return replace(scene, base=error)


@fault(
    family=Family.PLUMBING,
    noticed_by=(Name.ACCURACY_REGRESSION,),
    metrics=(OfMetric.REGRESSION,),
)
def stale_base(scene: Scene, _: float) -> Scene:
    """The base was judged on another evaluation split."""
    if not isinstance(scene.base, Artifact):
        raise Unplantable("there is no base")
    older_split = replace(scene.base.evaluation, digest="of older samples")
    # the same samples, but another digest than the base's file, as after a rebuild
    rebuilt = scene.with_samples(scene.candidate.evaluation.x)
    return replace(rebuilt, base=replace(scene.base, evaluation=older_split))


@fault(family=Family.PLUMBING, noticed_by=(Name.SHIPPED_DIFFERENCES,))
def stale_shipped_file(scene: Scene, _: float) -> Scene:
    """The file that ships comes from an older build."""
    if scene.recipe.shipped is None:
        raise Unplantable("the recipe names no file that ships")
    older_file = scene.with_samples(scene.candidate.evaluation.x).shipped
    return replace(scene, shipped=older_file)


@fault(family=Family.PLUMBING, noticed_by=(Name.SHIPPED_DIFFERENCES,))
def stale_compiled_file(scene: Scene, _: float) -> Scene:
    """The file that ships is compiled for an Ethos-U, but not from the candidate."""
    if scene.recipe.shipped is None or scene.model.budget_of(scene.recipe).vela is None:
        raise Unplantable("the recipe names no file that ships, or the budget no NPU")

    def change(model: Any) -> None:
        draft = scene.draft(model)
        make_custom(draft, last(draft).operator, NPU_OPERATOR)

    return replace(scene, shipped=edit(scene.candidate.tflite, change))


@fault(family=Family.PLUMBING, noticed_by=(*_DROPS, *_SHARES), metrics=_OF_SAMPLES)
def no_samples(scene: Scene, _: float) -> Scene:
    """The evaluation split is empty."""
    return _with_selected_samples(scene, np.zeros(0, np.intp))


@fault(
    family=Family.PLUMBING,
    noticed_by=(*_DROPS, *_SHARES),
    metrics=_OF_SAMPLES,
    expect=Expect.UNPROVEN,
)
def one_sample(scene: Scene, _: float) -> Scene:
    """The evaluation split has a single sample, which is answered right."""
    if scene.model.data.labels and not scene.model.has_accuracy:
        # without classes, no sample is known to be right
        return _with_selected_samples(scene, np.arange(1))
    return _with_selected_samples(scene, _samples_answered_right(scene)[:1])


@fault(
    family=Family.PLUMBING,
    # two copies would be enough for a proof, and more would prove more
    ladder=Ladder(2, 8, 32, unit="times", must=2),
    noticed_by=(*_DROPS, *_SHARES),
    expect=Expect.UNPROVEN,
)
def copied_samples(scene: Scene, grade: float) -> Scene:
    """The evaluation split has each sample several times, so that it seems to prove more.

    The copied samples are answered right, and half as many as the easiest limit needs for a proof.
    So two copies of each are enough for it, if copies are counted as samples of their own.
    """
    right = _samples_answered_right(scene)
    distinct = math.ceil(_fewest_samples_needed(scene, len(right)) / 2)
    return _with_selected_samples(scene, np.tile(right[:distinct], int(grade)))


@fault(
    family=Family.PLUMBING,
    # A smaller `must` would call every limit a survivor that allows a few known copies. Ends at a
    # tenth, since a limit that allows more is too loose, and survives.
    ladder=Ladder(0.1, 1, 10, unit="% of the samples", must=10),
    noticed_by=(Name.LEAKED_SAMPLES,),
)
def leaked_samples(scene: Scene, grade: float) -> Scene:
    """Samples of the evaluation split are also in the training split."""
    if scene.model.budget_of(scene.recipe).leaked_samples is None:
        raise Unplantable("the budget limits no leaked samples")
    split = scene.candidate.evaluation
    leaked = math.ceil(len(split.x) * grade / 100)
    split = replace(split, leaked_samples=max(leaked, split.leaked_samples or 0))
    return replace(scene, candidate=replace(scene.candidate, evaluation=split))


@fault(family=Family.PLUMBING, noticed_by=(*_DROPS, *_SHARES), metrics=_OF_SAMPLES)
def nan_sample(scene: Scene, _: float) -> Scene:
    """A sample of the evaluation split is NaN, or a frame of a sequence."""
    samples = scene.candidate.evaluation.x
    rows = len(frames_of(samples))
    mask = np.arange(rows) == scene.seed % rows
    x = map_samples(samples, partial(_with_nan, mask))
    return _with_selected_samples(scene, np.arange(len(samples)), x)


def _with_nan(mask: NDArray[np.bool_], x: NDArray[Any]) -> NDArray[np.float32]:
    changed = np.array(x, np.float32)
    changed[mask] = np.nan
    return changed


@fault(family=Family.PLUMBING, noticed_by=_DROPS, metrics=(OfMetric.SLICE, OfMetric.LOSS))
def nan_reference(scene: Scene, _: float) -> Scene:
    """The float reference answers NaN: its last layer has only NaN weights."""

    def change(model: Any) -> None:
        draft = scene.draft(model)
        weight = last(draft).weight
        values = draft.values(weight)
        if not np.issubdtype(values.dtype, np.floating):
            raise Unplantable("the reference has no float weights")
        draft.store(weight, np.full_like(values, np.nan))

    return scene.with_reference(edit(scene.reference.tflite, change))


@fault(family=Family.PLUMBING, noticed_by=(Name.ACCURACY_DROP,), expect=Expect.UNPROVEN)
def unresolvable_tolerance(scene: Scene, _: float) -> Scene:
    """The limit of the accuracy drop is a thousandth of a sample, which this split cannot show."""
    if scene.model.budget_of(scene.recipe).accuracy_drop is None:
        raise Unplantable("the budget limits no accuracy drop")
    limit = Quantity(Fraction(1, 1000 * len(scene.labels)), Unit.POINTS)
    high = accuracy_drop(scene.reference, scene.candidate).high
    if high is None or high <= limit.value:
        raise Unplantable("the candidate is proven to be better than its reference")
    budget = replace(scene.model.budget_of(scene.recipe), accuracy_drop=limit)
    return replace(scene, recipe=replace(scene.recipe, budget=budget))


@fault(family=Family.PLUMBING, noticed_by=(Name.WEAKENED_LIMITS,))
def model_renamed(scene: Scene, _: float) -> Scene:
    """The model had another name in the base and does not declare it, so it seems new."""

    def change(models: dict[str, Any], name: str) -> None:
        models[f"{name}_before"] = models.pop(name)

    return _with_base_models(scene, change)


@fault(family=Family.PLUMBING, noticed_by=(Name.WEAKENED_LIMITS,))
def model_vanished(scene: Scene, _: float) -> Scene:
    """A model that the base gates is missing."""

    def change(models: dict[str, Any], name: str) -> None:
        models[f"{name}_vanished"] = models[name]

    return _with_base_models(scene, change)


@fault(
    family=Family.PLUMBING,
    # limits are exact fractions, so that any weakening must be noticed, however small
    ladder=Ladder(0.1, 1, 10, 100, unit="%", must=0.1),
    noticed_by=(Name.WEAKENED_LIMITS,),
)
def limit_weakened(scene: Scene, grade: float) -> Scene:
    """A limit was tighter in the base: the candidate's first limit that is not 0.

    The grade is the difference, in per cent of the limit in the base.
    """

    def change(models: dict[str, Any], name: str) -> None:
        limits = models[name]["recipes"][scene.recipe.name]["budget"]
        field = next(field for field, limit in limits.items() if _can_be_weakened(field, limit))
        factor = 1 + Fraction(str(grade)) / 100
        value = Fraction(limits[field]["value"])
        tighter = value * factor if limit_kind(field) in LEAST else value / factor
        limits[field]["value"] = str(tighter)

    return _with_base_models(scene, change)


@fault(family=Family.PLUMBING, noticed_by=(Name.WEAKENED_LIMITS,))
def check_removed(scene: Scene, _: float) -> Scene:
    """A check that the base has is missing."""

    def derive(declaration: Declaration) -> Declaration:
        code: Declaration = {"lines": [], "imports": []}
        removed_check = {"checks/test_planted.py::test_that_is_gone": code}
        return {**declaration, "checks": {**declaration["checks"], **removed_check}}

    return replace(scene, derive_base_declaration=derive)


def _with_base_models(scene: Scene, change: Callable[[dict[str, Any], str], None]) -> Scene:
    """Let `change` alter the models that the base declares, given the scene's model name."""

    def derive(declaration: Declaration) -> Declaration:
        models = deepcopy(dict(declaration["models"]))
        change(models, scene.model.name)
        return {**declaration, "models": models}

    return replace(scene, derive_base_declaration=derive)


def _can_be_weakened(field: str, limit: Mapping[str, str] | None) -> bool:
    return limit is not None and limit_kind(field) in LEAST | MOST and Fraction(limit["value"]) != 0


def _samples_answered_right(scene: Scene) -> NDArray[np.intp]:
    """Return the samples that candidate and reference answer right.

    Raises Unplantable if there is none, or if the network does not choose between classes.
    """
    _ = scene.labels  # raises Unplantable for a network without classes
    right = np.flatnonzero(answers(scene.candidate).right & answers(scene.reference).right)
    if not len(right):
        raise Unplantable("no sample is answered right")
    return right


def _fewest_samples_needed(scene: Scene, available: int) -> int:
    """Return the fewest samples that prove one of the budget's limits.

    Raises Unplantable if no limit can be proven with more than one and at most `available` samples.
    """
    budget = scene.model.budget_of(scene.recipe)
    floors = (budget.accuracy, budget.keras_agreement, budget.runtime_agreement)
    drops = (budget.accuracy_drop, budget.extra_errors)
    tolerances = [
        *(1 - floor.value for floor in floors if floor),
        *(drop.value for drop in drops if drop),
    ]
    needed = [n_least(tolerance) for tolerance in tolerances if tolerance > 0]
    provable = [n for n in needed if 1 < n <= available]
    if not provable:
        raise Unplantable("no limit of the budget is proven by counting this split's samples")
    return min(provable)


def _with_selected_samples(
    scene: Scene, indices: NDArray[np.intp], x: Samples | None = None
) -> Scene:
    """Judge a scene on some of its samples, or of `x`, with the answers of Keras to them."""
    split, keras_outputs = scene.candidate.evaluation, scene.candidate.keras_outputs
    labels = split.labels_of(indices)
    slices = {name: mask[indices] for name, mask in split.slices.items()}
    selected = scene.with_split((split.x if x is None else x)[indices], labels, slices)
    if keras_outputs is not None:
        keras_outputs = select_outputs(keras_outputs, indices)
    return replace(selected, candidate=replace(selected.candidate, keras_outputs=keras_outputs))

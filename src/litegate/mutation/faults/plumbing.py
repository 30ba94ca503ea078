"""Faults around the model: nothing to compare with, nothing to compare on, promises withdrawn."""

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
from litegate.measures.shipped import NAME as SHIPPED
from litegate.measures.statistics.proportions import n_least
from litegate.mutation.faults.fault import Expect, Family, Ladder, OfMetric, fault
from litegate.mutation.faults.layers import last
from litegate.mutation.faults.scene import Declaration, Scene, Unplantable, picked
from litegate.regression.loosening import LOOSENED
from litegate.regression.loosening.models import LEAST, MOST, general
from litegate.spec import Artifact, Samples, mapped
from litegate.tflite.editing.draft import edit

_DROPS = ("accuracy drop", "number of extra errors", "worst class's accuracy drop")
_SHARES = ("accuracy", "agreement with Keras", "agreement of kernels")
_AGAINST_BASE = (
    "accuracy lost against the base",
    "size growth",
    "integer types lost against the base",
)


_OF_SAMPLES = (OfMetric.SLICE, OfMetric.VALUE, OfMetric.LOSS)


@fault(family=Family.PLUMBING, noticed_by=_AGAINST_BASE, metrics=(OfMetric.REGRESSION,))
def no_base(scene: Scene, _: float) -> Scene:
    """The base cannot be built, so that there is nothing to compare with."""
    why = BuildError(f"the base's {scene.name} could not be built", remedy="look at its build log")
    return replace(scene, base=why)


@fault(
    family=Family.PLUMBING,
    noticed_by=("accuracy lost against the base",),
    metrics=(OfMetric.REGRESSION,),
)
def stale_base(scene: Scene, _: float) -> Scene:
    """The base was judged on another evaluation split."""
    if not isinstance(scene.base, Artifact):
        raise Unplantable("there is no base")
    older = replace(scene.base.evaluation, digest="of older samples")
    renamed = scene.with_samples(scene.candidate.evaluation.x)
    return replace(renamed, base=replace(scene.base, evaluation=older))


@fault(family=Family.PLUMBING, noticed_by=(SHIPPED,))
def stale_shipped_file(scene: Scene, _: float) -> Scene:
    """The file that ships is of an older build."""
    if scene.recipe.shipped is None:
        raise Unplantable("the recipe names no file that ships")
    older = scene.with_samples(scene.candidate.evaluation.x).shipped
    return replace(scene, shipped=older)


@fault(family=Family.PLUMBING, noticed_by=(*_DROPS, *_SHARES), metrics=_OF_SAMPLES)
def no_samples(scene: Scene, _: float) -> Scene:
    """The evaluation split is empty."""
    return _on(scene, np.zeros(0, np.intp))


@fault(
    family=Family.PLUMBING,
    noticed_by=(*_DROPS, *_SHARES),
    metrics=_OF_SAMPLES,
    expect=Expect.UNPROVEN,
)
def one_sample(scene: Scene, _: float) -> Scene:
    """The evaluation split holds a single sample, which is answered right."""
    if scene.model.data.labels and not scene.model.chooses:
        return _on(scene, np.arange(1))  # right or wrong is not known
    return _on(scene, _right(scene)[:1])


@fault(
    family=Family.PLUMBING,
    ladder=Ladder(2, 8, 32, unit="times", must=2),
    noticed_by=(*_DROPS, *_SHARES),
    expect=Expect.UNPROVEN,
)
def copied_samples(scene: Scene, grade: float) -> Scene:
    """The evaluation split holds each sample several times, so that it seems to prove more.

    Samples that are answered right, half as many as the easiest limit needs to be proven.
    """
    right = _right(scene)
    distinct = math.ceil(_needed(scene, len(right)) / 2)
    return _on(scene, np.tile(right[:distinct], int(grade)))


@fault(family=Family.PLUMBING, noticed_by=(*_DROPS, *_SHARES), metrics=_OF_SAMPLES)
def nan_sample(scene: Scene, _: float) -> Scene:
    """A sample of the evaluation split is NaN."""
    samples = scene.candidate.evaluation.x
    broken = np.arange(len(samples)) == scene.seed % len(samples)
    x = mapped(samples, partial(_with_nan, broken))
    return _on(scene, np.arange(len(samples)), x)


def _with_nan(broken: NDArray[np.bool_], x: NDArray[Any]) -> NDArray[np.float32]:
    made = np.array(x, np.float32)
    made[broken] = np.nan
    return made


@fault(family=Family.PLUMBING, noticed_by=_DROPS, metrics=(OfMetric.SLICE, OfMetric.LOSS))
def nan_reference(scene: Scene, _: float) -> Scene:
    """The float reference answers NaN, for its last layer holds nothing else."""

    def change(model: Any) -> None:
        draft = scene.draft(model)
        weight = last(draft).weight
        values = draft.values(weight)
        if not np.issubdtype(values.dtype, np.floating):
            raise Unplantable("the reference has no float weights")
        draft.store(weight, np.full_like(values, np.nan))

    return scene.with_reference(edit(scene.reference.tflite, change))


@fault(family=Family.PLUMBING, noticed_by=("accuracy drop",), expect=Expect.UNPROVEN)
def unresolvable_tolerance(scene: Scene, _: float) -> Scene:
    """The accuracy drop may be a thousandth of a sample, which no split of this size can show."""
    if scene.model.budget_of(scene.recipe).accuracy_drop is None:
        raise Unplantable("the budget limits no accuracy drop")
    limit = Quantity(Fraction(1, 1000 * len(scene.labels)), Unit.POINTS)
    high = accuracy_drop(scene.reference, scene.candidate).high
    if high is None or high <= limit.value:
        raise Unplantable("the candidate is surely better than its reference")
    budget = replace(scene.model.budget_of(scene.recipe), accuracy_drop=limit)
    return replace(scene, recipe=replace(scene.recipe, budget=budget))


@fault(family=Family.PLUMBING, noticed_by=(LOOSENED,))
def model_renamed(scene: Scene, _: float) -> Scene:
    """The model had another name in the base, and does not say so: it seems new."""

    def before(models: dict[str, Any], name: str) -> None:
        models[f"{name}_before"] = models.pop(name)

    return _declared(scene, before)


@fault(family=Family.PLUMBING, noticed_by=(LOOSENED,))
def model_vanished(scene: Scene, _: float) -> Scene:
    """A model that the base gates is gone."""

    def before(models: dict[str, Any], name: str) -> None:
        models[f"{name}_vanished"] = models[name]

    return _declared(scene, before)


@fault(
    family=Family.PLUMBING,
    ladder=Ladder(0.1, 1, 10, 100, unit="%", must=0.1),
    noticed_by=(LOOSENED,),
)
def limit_loosened(scene: Scene, grade: float) -> Scene:
    """A limit was tighter in the base: the first one of the candidate that is not 0.

    The grade is by how much, in per cent of the limit in the base.
    """

    def before(models: dict[str, Any], name: str) -> None:
        limits = models[name]["recipes"][scene.recipe.name]["budget"]
        field = next(one for one in limits if _can_loosen(one, limits[one]))
        factor = 1 + Fraction(str(grade)) / 100
        value = Fraction(limits[field]["value"])
        tighter = value * factor if general(field) in LEAST else value / factor
        limits[field]["value"] = str(tighter)

    return _declared(scene, before)


@fault(family=Family.PLUMBING, noticed_by=(LOOSENED,))
def check_removed(scene: Scene, _: float) -> Scene:
    """A check that the base has is gone."""

    def before(declared: Declaration) -> Declaration:
        gone = {"checks/test_planted.py::test_that_is_gone": "0" * 64}
        return {**declared, "checks": {**declared["checks"], **gone}}

    return replace(scene, declared_before=before)


def _declared(scene: Scene, change: Callable[[dict[str, Any], str], None]) -> Scene:
    """A scene in which the base declared other models; `change` alters a copy of them."""

    def before(declared: Declaration) -> Declaration:
        models = deepcopy(dict(declared["models"]))
        change(models, scene.model.name)
        return {**declared, "models": models}

    return replace(scene, declared_before=before)


def _can_loosen(field: str, limit: Mapping[str, str] | None) -> bool:
    return limit is not None and general(field) in LEAST | MOST and Fraction(limit["value"]) != 0


def _right(scene: Scene) -> NDArray[np.intp]:
    """The samples that candidate and reference answer right. Unplantable where there is none."""
    _ = scene.labels
    right = np.flatnonzero(answers(scene.candidate).right & answers(scene.reference).right)
    if not len(right):
        raise Unplantable("no sample is answered right")
    return right


def _needed(scene: Scene, most: int) -> int:
    """The fewest samples by which one of the limits is proven, of those that `most` prove."""
    budget = scene.model.budget_of(scene.recipe)
    floors = (budget.accuracy, budget.keras_agreement, budget.kernel_agreement)
    drops = (budget.accuracy_drop, budget.extra_errors)
    tolerances = [1 - one.value for one in floors if one] + [one.value for one in drops if one]
    needed = [n_least(one) for one in tolerances if one > 0]
    found = [n for n in needed if 1 < n <= most]
    if not found:
        raise Unplantable("no limit of the budget is proven by counting this split's samples")
    return min(found)


def _on(scene: Scene, chosen: NDArray[np.intp], x: Samples | None = None) -> Scene:
    """A scene judged on some of its samples, or of `x`, with what Keras answered to them."""
    split, keras = scene.candidate.evaluation, scene.candidate.keras_outputs
    labels = None if split.y is None else split.y[chosen]
    slices = {name: mask[chosen] for name, mask in split.slices.items()}
    moved = scene.with_split((split.x if x is None else x)[chosen], labels, slices)
    kept = None if keras is None else picked(keras, chosen)
    return replace(moved, candidate=replace(moved.candidate, keras_outputs=kept))

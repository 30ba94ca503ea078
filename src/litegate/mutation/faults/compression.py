"""Faults in pruned and clustered weights: files that decide as before, and compress no longer.

They are planted in every layer with integer weights, where the recipe prunes or clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.layers import layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import edit

Weights = NDArray[Any]
_SHARES = Ladder(1, 10, 50, 90, unit="%", must=50)
"""A tenth stays: where nothing does, a limit notices that is a hundred times too loose."""


@fault(family=Family.SIZE, ladder=_SHARES, noticed_by=("sparsity",))
def zeros_lost(scene: Scene, grade: float) -> Scene:
    """Weights that pruning made zero become one step up or down. The grade is the share of them."""
    if not scene.recipe.pruning:
        raise Unplantable("the recipe prunes nothing")

    def move(weights: Weights, random: np.random.Generator) -> None:
        drawn = (weights == 0) & (random.random(weights.shape) < grade / 100)
        weights[drawn] = random.choice([-1, 1], drawn.sum())

    return _moved(scene, move)


@fault(family=Family.SIZE, ladder=_SHARES, noticed_by=("number of unique weights",))
def clusters_lost(scene: Scene, grade: float) -> Scene:
    """Weights that clustering made alike differ by one step. The grade is the share that moves."""
    if not scene.recipe.clustering:
        raise Unplantable("the recipe clusters nothing")

    def move(weights: Weights, random: np.random.Generator) -> None:
        drawn = (weights != 0) & (random.random(weights.shape) < grade / 100)
        steps = random.choice([-1, 0, 1], drawn.sum())
        weights[drawn] = np.clip(weights[drawn] + steps, -127, 127)

    return _moved(scene, move)


def _moved(scene: Scene, move: Callable[[Weights, np.random.Generator], None]) -> Scene:
    def change(model: Any) -> None:
        draft, random = scene.draft(model), np.random.default_rng(scene.seed)
        integer = [one for one in layers(draft) if draft.values(one.weight).dtype == np.int8]
        if not integer:
            raise Unplantable("no layer has int8 weights")
        for layer in integer:
            weights = draft.values(layer.weight).astype(np.int16)
            move(weights, random)
            draft.store(layer.weight, weights.astype(np.int8))

    return scene.with_candidate(edit(scene.candidate.tflite, change))

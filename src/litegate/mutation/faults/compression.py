"""Undo pruning and clustering: the file decides as before, and no longer compresses.

The faults change every layer with int8 weights, if the recipe prunes or clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.measures.names import Name
from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.layers import layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft

Weights = NDArray[Any]
_SHARES = Ladder(1, 10, 50, 90, unit="%", must=50)
"""Ends at 90 %, because at 100 % no zero would remain, and even a limit that is a hundred times too
loose would notice. At 50 % the recipe's usual 60 % of zeros become 30 %, so that any limit above
half of its sparsity must notice; a smaller `must` would call looser limits survivors. 1 and 10 %
show how tight a limit is."""


@fault(family=Family.SIZE, ladder=_SHARES, noticed_by=(Name.SPARSITY,))
def zeros_lost(scene: Scene, grade: float) -> Scene:
    """Weights that pruning made zero become one step up or down. The grade is the share of them."""
    if not scene.recipe.pruning:
        raise Unplantable("the recipe prunes nothing")

    def move(weights: Weights, random: np.random.Generator) -> None:
        drawn = (weights == 0) & (random.random(weights.shape) < grade / 100)
        weights[drawn] = random.choice([-1, 1], drawn.sum())

    return _with_moved_weights(scene, move)


@fault(family=Family.SIZE, ladder=_SHARES, noticed_by=(Name.UNIQUE_WEIGHTS,))
def clusters_lost(scene: Scene, grade: float) -> Scene:
    """Weights that clustering made equal differ by one step. The grade is the share of them."""
    if not scene.recipe.clustering:
        raise Unplantable("the recipe clusters nothing")

    def move(weights: Weights, random: np.random.Generator) -> None:
        drawn = (weights != 0) & (random.random(weights.shape) < grade / 100)
        steps = random.choice([-1, 0, 1], drawn.sum())
        # symmetric int8 weights do not use -128
        weights[drawn] = np.clip(weights[drawn] + steps, -127, 127)

    return _with_moved_weights(scene, move)


def _with_moved_weights(
    scene: Scene, move: Callable[[Weights, np.random.Generator], None]
) -> Scene:
    """Let `move` change the int8 weights of every layer in place, given to it as int16."""

    def change(draft: Draft) -> None:
        random = np.random.default_rng(scene.seed)
        int8_layers = [
            layer for layer in layers(draft) if draft.values(layer.weight).dtype == np.int8
        ]
        if not int8_layers:
            raise Unplantable("no layer has int8 weights")
        for layer in int8_layers:
            weights = draft.values(layer.weight).astype(np.int16)
            move(weights, random)
            draft.store(layer.weight, weights.astype(np.int8))

    return scene.with_edited(change)

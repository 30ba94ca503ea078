"""Faults in a layer's weights: real bytes, in the layer that holds most weights.

Of layers with equally many it is the first. A scale alone is shifted in the first layer, for the
last one's order of scores would not mind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.mutation.faults.fault import LOSSES, Family, Ladder, fault
from litegate.mutation.faults.layers import Layer, first, layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft, edit

Weights = NDArray[Any]


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 5, 20, 50, 100, 400, 1600, 6400, unit="%", must=400),
    noticed_by=LOSSES,
)
def scale_too_large(scene: Scene, grade: float) -> Scene:
    """A layer's scale is shifted: its sums count for more than they are.

    The scales of the first layer's weights and bias grow by the grade, in per cent.
    """

    def change(model: Any) -> None:
        layer = first(scene.draft(model))
        for tensor in (layer.weight, layer.bias):
            if tensor is not None:
                _rescale(tensor, 1 + grade / 100)

    return _planted(scene, change)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 2, 4, 8, 16, 32, 64, 128, unit="steps", must=8),
    noticed_by=LOSSES,
)
def zero_point_shifted(scene: Scene, grade: float) -> Scene:
    """A layer takes the zero point of what it reads to be lower than it is.

    The grade is by how many steps of its input. Its bias holds what that adds to each sum, the sum
    of the channel's weights a step, as where a kernel's correction was folded in with a wrong one.
    """

    def change(model: Any) -> None:
        draft = scene.draft(model)
        layer = _largest(draft)
        weights = draft.values(layer.weight)
        if layer.bias is None or weights.dtype != np.int8:
            raise Unplantable("the largest layer has no integer weights and bias")
        others = tuple(axis for axis in range(weights.ndim) if axis != layer.channel)
        bias = draft.values(layer.bias)
        moved = bias + int(grade) * weights.sum(axis=others, dtype=np.int64)
        draft.store(layer.bias, moved.astype(bias.dtype))

    return _planted(scene, change)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 5, 20, 50, 80, 95, 100, unit="% of the weights", must=20),
    noticed_by=LOSSES,
)
def clipped_weights(scene: Scene, grade: float) -> Scene:
    """A layer's largest weights are clipped to the size of a smaller one.

    The grade is the share of weights that are at least as large as what they are clipped to.
    """

    def clip(weights: Weights) -> Weights:
        most = np.quantile(np.abs(weights.astype(float)), 1 - grade / 100)
        return np.clip(weights, -most, most)

    return _revalued(scene, clip)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 5, 20, 50, 80, 95, 100, unit="% of the weights", must=80),
    noticed_by=LOSSES,
)
def pruned_weights(scene: Scene, grade: float) -> Scene:
    """A layer's smallest weights are 0.

    The grade is the share of weights.
    """

    def prune(weights: Weights) -> Weights:
        pruned = weights.copy()
        sizes = np.abs(weights.astype(float)).ravel()
        pruned.ravel()[np.argsort(sizes, kind="stable")[: _count(weights, grade)]] = 0
        return pruned

    return _revalued(scene, prune)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.01, 0.1, 0.5, 2, 10, 50, unit="% of the bits", must=2),
    noticed_by=LOSSES,
)
def flipped_bits(scene: Scene, grade: float) -> Scene:
    """Random bits of a layer's weights are flipped.

    The grade is the share of bits, at least one.
    """

    def flip(weights: Weights) -> Weights:
        bits = np.unpackbits(np.frombuffer(weights.tobytes(), np.uint8))
        bits[_drawn(scene, bits, grade)] ^= 1
        return np.frombuffer(np.packbits(bits).tobytes(), weights.dtype).reshape(weights.shape)

    return _revalued(scene, flip)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(0.1, 1, 5, 20, 50, 100, unit="% of the weights", must=5),
    noticed_by=LOSSES,
)
def saturated_weights(scene: Scene, grade: float) -> Scene:
    """Random weights of a layer are as large as its type holds, in their own direction.

    The grade is the share of weights, at least one.
    """

    def saturate(weights: Weights) -> Weights:
        saturated = weights.copy()
        which = _drawn(scene, weights, grade)
        most = np.iinfo(weights.dtype).max
        saturated.ravel()[which] = np.where(weights.ravel()[which] < 0, -most, most)
        return saturated

    return _revalued(scene, saturate)


def _planted(scene: Scene, change: Callable[[Any], None]) -> Scene:
    return scene.with_candidate(edit(scene.candidate.tflite, change))


def _revalued(scene: Scene, change: Callable[[Weights], Weights]) -> Scene:
    """Change the integer weights of the largest layer."""

    def store(model: Any) -> None:
        draft = scene.draft(model)
        layer = _largest(draft)
        weights = draft.values(layer.weight)
        if not np.issubdtype(weights.dtype, np.integer):
            raise Unplantable(f"the largest layer has {weights.dtype} weights")
        draft.store(layer.weight, change(weights).astype(weights.dtype))

    return _planted(scene, store)


def _largest(draft: Draft) -> Layer:
    """The layer with most weights, the first of several."""
    return max(layers(draft), key=lambda layer: draft.values(layer.weight).size)


def _rescale(tensor: Any, factor: float) -> None:
    steps = tensor.quantization
    if steps is None or steps.scale is None or not len(steps.scale):
        raise Unplantable("a tensor of the layer is not quantized")
    steps.scale = [float(scale) * factor for scale in steps.scale]


def _count(values: Weights, share: float) -> int:
    return max(1, round(share / 100 * values.size))


def _drawn(scene: Scene, values: Weights, share: float) -> NDArray[np.intp]:
    """The places of a share of values, drawn by the scene's seed; a greater share holds a less."""
    order = np.random.default_rng(scene.seed).permutation(values.size)
    return order[: _count(values, share)]

"""Plant faults in the weights of the layer that has the most weights.

Only a scale is changed in the first layer, because the last layer's scale does not change the order
of the scores.

At each `must` grade, the accuracy drop of both `digits_cnn` and `mnist_cnn` notices the fault
(kill_matrix.md). Smaller grades show how sensitive a gate is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.mutation.faults.fault import LOSSES, Family, Ladder, fault
from litegate.mutation.faults.layers import Layer, first, layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft

Weights = NDArray[Any]


@fault(
    family=Family.ACCURACY,
    # from here on every check that notices the fault does, on both models (kill_matrix.md)
    ladder=Ladder(1, 5, 20, 50, 100, 400, 1600, 6400, unit="%", must=400),
    noticed_by=LOSSES,
)
def scale_too_large(scene: Scene, grade: float) -> Scene:
    """A layer's scale is too large, so that its sums count too much.

    The scales of the first layer's weights and bias grow by the grade, in per cent.
    """

    def change(draft: Draft) -> None:
        layer = first(draft)
        for tensor in (layer.weight, layer.bias):
            if tensor is not None:
                _rescale(tensor, 1 + grade / 100)

    return scene.with_edited(change)


@fault(
    family=Family.ACCURACY,
    # from here on every check that notices the fault does, on both models (kill_matrix.md)
    ladder=Ladder(1, 2, 4, 8, 16, 32, 64, 128, unit="steps", must=8),
    noticed_by=LOSSES,
)
def zero_point_shifted(scene: Scene, grade: float) -> Scene:
    """A layer uses a zero point for its input that is too low.

    The grade is the difference in quantization steps of the layer's input. It is planted in the
    bias, which grows by the sum of the channel's weights for each step, as if the zero point's
    correction had been folded into the bias with a wrong zero point.
    """

    def change(draft: Draft) -> None:
        layer = _largest_layer(draft)
        weights = draft.values(layer.weight)
        bias = None if layer.bias is None else draft.values(layer.bias)
        if bias is None or weights.dtype != np.int8 or bias.dtype.kind != "i":
            raise Unplantable("the largest layer has no integer weights and bias")
        other_axes = tuple(axis for axis in range(weights.ndim) if axis != layer.channel)
        shifted = bias + int(grade) * weights.sum(axis=other_axes, dtype=np.int64)
        draft.store(layer.bias, shifted.astype(bias.dtype))

    return scene.with_edited(change)


@fault(
    family=Family.ACCURACY,
    # from here on every check that notices the fault does, on both models (kill_matrix.md)
    ladder=Ladder(1, 5, 20, 50, 80, 95, 100, unit="% of the weights", must=20),
    noticed_by=LOSSES,
)
def clipped_weights(scene: Scene, grade: float) -> Scene:
    """A layer's largest weights are clipped to the size of a smaller one.

    The grade is the share of weights that are at least as large as the bound.
    """

    def clip(weights: Weights) -> Weights:
        bound = np.quantile(np.abs(weights.astype(float)), 1 - grade / 100)
        return np.clip(weights, -bound, bound)

    return _with_changed_weights(scene, clip)


@fault(
    family=Family.ACCURACY,
    # from here on every check that notices the fault does, on both models (kill_matrix.md)
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
        # a stable sort prunes the same weights on every machine
        pruned.ravel()[np.argsort(sizes, kind="stable")[: _count(weights, grade)]] = 0
        return pruned

    return _with_changed_weights(scene, prune)


@fault(
    family=Family.ACCURACY,
    # every check that notices the fault does from 0.5 % on (kill_matrix.md); 2 % leaves a
    # margin, since a few random bits may be harmless
    ladder=Ladder(0.01, 0.1, 0.5, 2, 10, 50, unit="% of the bits", must=2),
    noticed_by=LOSSES,
)
def flipped_bits(scene: Scene, grade: float) -> Scene:
    """Random bits of a layer's weights are flipped.

    The grade is the share of bits; at least one bit.
    """

    def flip(weights: Weights) -> Weights:
        bits = np.unpackbits(np.frombuffer(weights.tobytes(), np.uint8))
        bits[_random_indices(scene, bits, grade)] ^= 1
        return np.frombuffer(np.packbits(bits).tobytes(), weights.dtype).reshape(weights.shape)

    return _with_changed_weights(scene, flip)


@fault(
    family=Family.ACCURACY,
    # from here on every check that notices the fault does, on both models (kill_matrix.md)
    ladder=Ladder(0.1, 1, 5, 20, 50, 100, unit="% of the weights", must=5),
    noticed_by=LOSSES,
)
def saturated_weights(scene: Scene, grade: float) -> Scene:
    """Random weights of a layer are saturated: the largest value of their type and sign.

    The grade is the share of weights; at least one weight.
    """

    def saturate(weights: Weights) -> Weights:
        saturated = weights.copy()
        indices = _random_indices(scene, weights, grade)
        largest = np.iinfo(weights.dtype).max
        saturated.ravel()[indices] = np.where(weights.ravel()[indices] < 0, -largest, largest)
        return saturated

    return _with_changed_weights(scene, saturate)


def _with_changed_weights(scene: Scene, change: Callable[[Weights], Weights]) -> Scene:
    """Change the integer weights of the largest layer."""

    def store(draft: Draft) -> None:
        layer = _largest_layer(draft)
        weights = draft.values(layer.weight)
        if not np.issubdtype(weights.dtype, np.integer):
            raise Unplantable(f"the largest layer has {weights.dtype} weights")
        draft.store(layer.weight, change(weights).astype(weights.dtype))

    return scene.with_edited(store)


def _largest_layer(draft: Draft) -> Layer:
    """Return the layer with the most weights; the first one in a tie."""
    return max(layers(draft), key=lambda layer: draft.values(layer.weight).size)


def _rescale(tensor: Any, factor: float) -> None:
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        raise Unplantable("a tensor of the layer is not quantized")
    quantization.scale = [float(scale) * factor for scale in quantization.scale]


def _count(values: Weights, percent: float) -> int:
    return max(1, round(percent / 100 * values.size))


def _random_indices(scene: Scene, values: Weights, percent: float) -> NDArray[np.intp]:
    """Return random indices of some per cent of the values, drawn with the scene's seed.

    The indices of a smaller grade are among those of a larger one, so that defects only grow.
    """
    order = np.random.default_rng(scene.seed).permutation(values.size)
    return order[: _count(values, percent)]

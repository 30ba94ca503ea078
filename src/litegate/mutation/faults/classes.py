"""Plant faults in the channels of a layer; the last layer's channels are the classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.measures.names import Name
from litegate.mutation.faults.fault import LOSSES, Family, Ladder, fault
from litegate.mutation.faults.layers import Layer, first, last, layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft

Reorder = Callable[[int], NDArray[np.intp]]
"""Takes the number of channels and returns the channel to put in the place of each."""


@fault(
    family=Family.ACCURACY,
    # 256 steps are the whole range of int8; from half of it on, the accuracy drop of both this
    # project's models notices (kill_matrix.md)
    ladder=Ladder(2, 8, 32, 64, 128, 256, unit="steps", must=128),
    noticed_by=(Name.CLASS_DROP, Name.KERAS_DIFFERENCE),
)
def class_never_answered(scene: Scene, grade: float) -> Scene:
    """One class is hardly ever predicted because its score is too low.

    The grade is subtracted from the class's bias, in quantization steps of the last layer's output.
    The class is the one with the fewest samples.
    """

    def change(draft: Draft) -> None:
        layer = _class_layer(draft, scene)
        if layer.bias is None or draft.values(layer.bias).dtype.kind != "i":
            raise Unplantable("the last layer has no integer bias")
        output_scale = draft.graph.tensors[layer.operator.outputs[0]].quantization.scale[0]
        bias_scales = layer.bias.quantization.scale
        rarest = int(np.argmin(np.bincount(scene.labels)))
        bias = draft.values(layer.bias).copy()
        bias[rarest] -= round(grade * output_scale / bias_scales[rarest % len(bias_scales)])
        draft.store(layer.bias, bias)

    return scene.with_edited(change)


# One pair: two names in the wrong order are the usual mistake, and ruin both classes.
@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 2, 5, unit="pairs", must=1),
    noticed_by=LOSSES,
)
def swapped_classes(scene: Scene, grade: float) -> Scene:
    """Classes are confused: the outputs are in another order than the labels.

    The grade is the number of pairs, starting with the first classes; all if there are fewer.
    """
    return _with_reordered_channels(scene, _swap_pairs(grade), _class_layer)


@fault(family=Family.ACCURACY, noticed_by=LOSSES)
def shuffled_labels(scene: Scene, _grade: float) -> Scene:
    """The candidate answers as if trained on shuffled labels.

    Instead of training, reorders the last layer's channels with the scene's seed, so that every
    class changes its place and no answer depends on its label.
    """

    def cycle(count: int) -> NDArray[np.intp]:
        ring = np.random.default_rng(scene.seed).permutation(count)
        order = np.empty(count, np.intp)
        order[ring] = np.roll(ring, 1)
        return order

    return _with_reordered_channels(scene, cycle, _class_layer)


@fault(
    family=Family.ACCURACY,
    # the checks of digits_cnn notice between 1 and 4 pairs (kill_matrix.md); 8 leaves a margin
    ladder=Ladder(1, 2, 4, 8, 32, unit="pairs", must=8),
    noticed_by=LOSSES,
)
def swapped_channels(scene: Scene, grade: float) -> Scene:
    """Output channels of the first layer are swapped, and the next layer confuses them.

    The grade is the number of pairs, starting with the first channels; all if there are fewer.
    """
    return _with_reordered_channels(scene, _swap_pairs(grade), _first_of_several)


def _swap_pairs(grade: float) -> Reorder:
    def swap(count: int) -> NDArray[np.intp]:
        order = np.arange(count)
        paired = 2 * min(int(grade), count // 2)
        order[:paired] ^= 1  # flips the lowest bit: 0 and 1, 2 and 3, ...
        return order

    return swap


def _with_reordered_channels(
    scene: Scene, reorder: Reorder, find_layer: Callable[[Draft, Scene], Layer]
) -> Scene:
    """Reorder a layer's output channels: weights, biases and their scales."""

    def change(draft: Draft) -> None:
        layer = find_layer(draft, scene)
        for tensor, axis in ((layer.weight, layer.channel), (layer.bias, 0)):
            if tensor is None:
                continue
            values = draft.values(tensor)
            order = reorder(values.shape[axis])
            draft.store(tensor, np.take(values, order, axis))
            _reorder_scales(tensor.quantization, order)

    return scene.with_edited(change)


def _reorder_scales(quantization: Any, order: NDArray[np.intp]) -> None:
    """Reorder the scales and zero points of a tensor that has one for each channel."""
    if quantization is None or quantization.scale is None or len(quantization.scale) < 2:
        return
    quantization.scale = [quantization.scale[channel] for channel in order]
    quantization.zeroPoint = [quantization.zeroPoint[channel] for channel in order]


def _first_of_several(draft: Draft, scene: Scene) -> Layer:
    """Return the first layer. Raises Unplantable if it is the only one."""
    if len(layers(draft)) < 2:
        raise Unplantable(f"{scene.name} has one layer: its channels are its classes")
    return first(draft)


def _class_layer(draft: Draft, scene: Scene) -> Layer:
    """Return the last layer. Raises Unplantable if it does not have one channel for each class."""
    layer, classes = last(draft), len(scene.candidate.evaluation.classes)
    channels = int(layer.weight.shape[layer.channel])
    if channels != classes:
        raise Unplantable(f"the last layer has {channels} channels for {classes} classes")
    return layer

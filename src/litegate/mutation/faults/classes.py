"""Faults in the channels of a layer: real bytes. The last layer's channels are the classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.mutation.faults.fault import LOSSES, Family, Ladder, fault
from litegate.mutation.faults.layers import Layer, first, last, layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft, edit

Reorder = Callable[[int], NDArray[np.intp]]
"""From how many channels there are to which one is put in the place of each."""


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(2, 8, 32, 64, 128, 256, unit="steps", must=128),
    noticed_by=("worst class's accuracy drop", "largest difference from Keras"),
)
def class_never_answered(scene: Scene, grade: float) -> Scene:
    """One class is hardly ever answered: its score is too low.

    The grade is by how many steps of the last layer's output; 256 are all that there are. The
    class is the one with the fewest samples.
    """

    def change(model: Any) -> None:
        draft = scene.draft(model)
        layer = _last(draft, scene)
        if layer.bias is None or draft.values(layer.bias).dtype.kind != "i":
            raise Unplantable("the last layer has no integer bias")
        steps = draft.graph.tensors[layer.operator.outputs[0]].quantization
        scales = layer.bias.quantization.scale
        rarest = int(np.argmin(np.bincount(scene.labels)))
        bias = draft.values(layer.bias).copy()
        bias[rarest] -= round(grade * steps.scale[0] / scales[rarest % len(scales)])
        draft.store(layer.bias, bias)

    return scene.with_candidate(edit(scene.candidate.tflite, change))


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 2, 5, unit="pairs", must=1),
    noticed_by=LOSSES,
)
def swapped_classes(scene: Scene, grade: float) -> Scene:
    """Classes are taken for each other: outputs in another order than the labels.

    The grade is how many pairs, the first classes first, or all that there are.
    """
    return _reordered(scene, _swaps(grade), _last)


@fault(family=Family.ACCURACY, noticed_by=LOSSES)
def shuffled_labels(scene: Scene, _grade: float) -> Scene:
    """The candidate answers as one that was trained on shuffled labels.

    Nothing is trained: no class stays in its place in the last layer, in an order drawn by the
    seed. So, too, no answer has to do with its label.
    """

    def cycle(count: int) -> NDArray[np.intp]:
        ring = np.random.default_rng(scene.seed).permutation(count)
        order = np.empty(count, np.intp)
        order[ring] = np.roll(ring, 1)
        return order

    return _reordered(scene, cycle, _last)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 2, 4, 8, 32, unit="pairs", must=8),
    noticed_by=LOSSES,
)
def swapped_channels(scene: Scene, grade: float) -> Scene:
    """Output channels of the first layer are swapped; the next layer takes them for each other.

    The grade is how many pairs, the first channels first, or all that there are.
    """
    return _reordered(scene, _swaps(grade), _first)


def _swaps(grade: float) -> Reorder:
    def swap(count: int) -> NDArray[np.intp]:
        order = np.arange(count)
        paired = 2 * min(int(grade), count // 2)
        order[:paired] ^= 1
        return order

    return swap


def _reordered(scene: Scene, order: Reorder, pick: Callable[[Draft, Scene], Layer]) -> Scene:
    """Put the output channels of a layer in another order: weights, biases and their scales."""

    def change(model: Any) -> None:
        draft = scene.draft(model)
        layer = pick(draft, scene)
        axis = {id(layer.weight): layer.channel, id(layer.bias): 0}
        for tensor in filter(None, (layer.weight, layer.bias)):
            values = draft.values(tensor)
            places = order(values.shape[axis[id(tensor)]])
            draft.store(tensor, np.take(values, places, axis[id(tensor)]))
            _reorder_steps(tensor.quantization, places)

    return scene.with_candidate(edit(scene.candidate.tflite, change))


def _reorder_steps(steps: Any, places: NDArray[np.intp]) -> None:
    """Let the scales and zero points of channels go along."""
    if steps is None or steps.scale is None or len(steps.scale) < 2:
        return
    steps.scale = [steps.scale[place] for place in places]
    steps.zeroPoint = [steps.zeroPoint[place] for place in places]


def _first(draft: Draft, scene: Scene) -> Layer:
    found = layers(draft)
    if len(found) < 2:
        raise Unplantable(f"{scene.name} has one layer: its channels are its classes")
    return first(draft)


def _last(draft: Draft, scene: Scene) -> Layer:
    """The last layer. Unplantable where it has not one channel for each class."""
    layer, classes = last(draft), len(scene.candidate.evaluation.classes)
    channels = int(layer.weight.shape[layer.channel])
    if channels != classes:
        raise Unplantable(f"the last layer has {channels} channels for {classes} classes")
    return layer

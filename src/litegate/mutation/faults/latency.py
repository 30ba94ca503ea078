"""Faults in the latency: files that answer as before, and compute more.

What is added has a reader: LiteRT leaves out operators that nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np

from litegate.measures.latency.timing import clocks, fresh, one_sample, quickest
from litegate.mutation.faults.fault import Family, Ladder, fault
from litegate.mutation.faults.latency_edits import cut, repeat, with_maxima
from litegate.mutation.faults.layers import Layer, layers
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.tflite.editing.draft import Draft, edit

_TRIAL, _SAMPLE = 32, 0.05
"""Operators by which the price of one is found, and seconds that are timed for it."""
_LEAST = 20e-9
"""Seconds that no operator undercuts: a price below is the clock's noise."""


@fault(
    family=Family.LATENCY,
    ladder=Ladder(2, 5, 10, 25, 100, unit="%", must=10),
    noticed_by=("latency growth",),
)
def added_operators(scene: Scene, grade: float) -> Scene:
    """Operators without an effect stand behind a layer: maxima of a tensor and itself.

    The largest layer. The grade is the time that they add, in per cent, by the price of one as
    timed on this machine; at least one.
    """
    tflite = scene.candidate.tflite
    whole, each = _prices(scene)
    count = max(1, round(grade / 100 * whole / each))
    return scene.with_candidate(with_maxima(tflite, count))


@fault(
    family=Family.LATENCY,
    ladder=Ladder(1, 3, 10, 50, 200, unit="times more", must=1),
    noticed_by=("latency growth", "latency ratio", "latency", "number of multiply-accumulates"),
)
def repeated_work(scene: Scene, grade: float) -> Scene:
    """The model computes its scores again and again, to no effect."""

    def change(draft: Draft) -> None:
        repeat(draft, int(grade))

    return _changed(scene, change)


@fault(
    family=Family.LATENCY,
    ladder=Ladder(2, 8, 32, unit="times as wide", must=8),
    noticed_by=("latency growth", "number of multiply-accumulates", "arena"),
)
def wider_layer(scene: Scene, grade: float) -> Scene:
    """A layer has more channels than are read: what is added is cut off behind it.

    The first layer that is no depthwise convolution. Its weights grow with it.
    """

    def change(draft: Draft) -> None:
        found = [one for one in layers(draft) if one.channel == 0]
        if not found:
            raise Unplantable("every layer is a depthwise convolution")
        _widen(draft, found[0], int(grade))

    return _changed(scene, change)


def _widen(draft: Draft, layer: Layer, times: int) -> None:
    output = int(layer.operator.outputs[0])
    wide = draft.beside(output, "/wide")
    tensor, shape = draft.graph.tensors[wide], list(draft.graph.tensors[output].shape)
    for one in (layer.weight, layer.bias):
        if one is not None:
            _repeat_channels(draft, one, times)
    tensor.shape = [*shape[:-1], shape[-1] * times]
    if tensor.shapeSignature is not None:
        tensor.shapeSignature = [*tensor.shapeSignature[:-1], shape[-1] * times]
    layer.operator.outputs = [wide]
    narrow = cut(draft, wide, output, {-1: int(shape[-1])})
    draft.graph.operators.insert(layer.number + 1, narrow)


def _repeat_channels(draft: Draft, tensor: Any, times: int) -> None:
    """Repeat a constant's values along its first dimension, and their scales."""
    values = draft.values(tensor)
    draft.store(tensor, np.concatenate([values] * times))
    tensor.shape = [len(values) * times, *values.shape[1:]]
    steps = tensor.quantization
    if steps is not None and steps.scale is not None and len(steps.scale) > 1:
        tensor.quantization = steps = copy(steps)
        steps.scale = list(steps.scale) * times
        steps.zeroPoint = list(steps.zeroPoint) * times


@lru_cache(maxsize=1)
def _prices(scene: Scene) -> tuple[float, float]:
    """Seconds of one invocation of the sound file, and of one maximum."""
    tflite = scene.candidate.tflite
    whole, more = (_seconds(scene, each) for each in (tflite, with_maxima(tflite, _TRIAL)))
    return whole, max((more - whole) / _TRIAL, _LEAST)


def _seconds(scene: Scene, tflite: bytes) -> float:
    invoke = fresh(tflite, one_sample(scene.candidate), scene.name, scene.candidate.signature)()
    invoke()
    return quickest(invoke, clocks().deciding, _SAMPLE)


def _changed(scene: Scene, change: Callable[[Draft], None]) -> Scene:
    def on(model: Any) -> None:
        change(scene.draft(model))

    return scene.with_candidate(edit(scene.candidate.tflite, on))

"""The layers of an unpacked model that faults work on: operators with constant weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft

_CHANNEL = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
"""Operators with weights, and the weights' dimension of output channels."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An operator with constant weights."""

    number: int
    """Of the operator in the graph."""
    kind: str
    operator: Any
    """The schema's `OperatorT`."""
    weight: Any
    """The schema's `TensorT`."""
    bias: Any
    """Likewise, or None."""
    channel: int
    """The weight's dimension of output channels."""


def layers(draft: Draft) -> tuple[Layer, ...]:
    """The layers of the main graph, the first one first. Unplantable where there is none."""
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    found = []
    for number, operator in enumerate(draft.graph.operators):
        kind = str(names.get(draft.builtin(operator), ""))
        if kind not in _CHANNEL:
            continue
        weight = draft.graph.tensors[operator.inputs[1]]
        bias = operator.inputs[2] if len(operator.inputs) > 2 else -1
        if draft.holds(weight):
            found.append(
                Layer(
                    number=number,
                    kind=kind,
                    operator=operator,
                    weight=weight,
                    bias=draft.graph.tensors[bias] if bias >= 0 else None,
                    channel=_CHANNEL[kind],
                )
            )
    if not found:
        raise Unplantable("the model has no layer with constant weights")
    return tuple(found)


def first(draft: Draft) -> Layer:
    """The first layer; of several inputs, that of the input whose first layer computes most values.

    Unplantable where there is none.
    """
    found = layers(draft)
    if len(draft.graph.inputs) == 1:
        return found[0]
    late: set[int] = set()
    early = []
    for operator in draft.graph.operators:
        layer = next((one for one in found if one.operator is operator), None)
        follows = not late.isdisjoint(map(int, operator.inputs))
        if layer and not follows:
            early.append(layer)
        if layer or follows:
            late.update(map(int, operator.outputs))
    return max(early, key=lambda one: np.prod(draft.graph.tensors[one.operator.outputs[0]].shape))


def last(draft: Draft) -> Layer:
    """The last layer that the output that decides is computed by. Unplantable where there is none.

    Of one output it is the last of the graph.
    """
    found = layers(draft)
    if len(draft.graph.outputs) == 1:
        return found[-1]
    needed = {draft.output}
    for operator in reversed(draft.graph.operators):
        if needed.intersection(map(int, operator.outputs)):
            layer = next((one for one in found if one.operator is operator), None)
            if layer:
                return layer
            needed.update(map(int, operator.inputs))
    raise Unplantable("no layer with constant weights leads to the output that decides")


def along(layer: Layer, values: Any) -> Any:
    """One value a channel, shaped to be multiplied with the layer's weights."""
    shape = np.ones(len(layer.weight.shape), int)
    shape[layer.channel] = -1
    return np.reshape(values, shape)

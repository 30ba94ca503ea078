"""Find the layers of an unpacked model: operators with constant weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft

_CHANNEL_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
"""Operators with weights, and the axis of the output channels in their weights."""
_INTEGERS = (schema.TensorType.INT4, schema.TensorType.INT8)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An operator with constant weights."""

    number: int
    """The operator's index in the graph."""
    kind: str
    """The operator's name in the schema, such as "CONV_2D"."""
    operator: Any
    """The schema's `OperatorT`."""
    weight: Any
    """The schema's `TensorT`; of weights that a DEQUANTIZE unpacks, the packed one."""
    bias: Any
    """The schema's `TensorT`, or None for a layer without a bias."""
    channel: int
    """The axis of the output channels in the weights."""


def layers(draft: Draft) -> tuple[Layer, ...]:
    """Return the layers of the graph in execution order. Raises Unplantable if it has none."""
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    unpacked = _unpacked_integers(draft)
    weight_layers = []
    for number, operator in enumerate(draft.graph.operators):
        kind = str(names.get(draft.builtin(operator), ""))
        if kind not in _CHANNEL_AXIS:
            continue
        weight = draft.graph.tensors[unpacked.get(int(operator.inputs[1]), operator.inputs[1])]
        bias = operator.inputs[2] if len(operator.inputs) > 2 else -1
        if draft.holds(weight):
            weight_layers.append(
                Layer(
                    number=number,
                    kind=kind,
                    operator=operator,
                    weight=weight,
                    bias=draft.graph.tensors[bias] if bias >= 0 else None,
                    channel=_CHANNEL_AXIS[kind],
                )
            )
    if not weight_layers:
        raise Unplantable("the model has no layer with constant weights")
    return tuple(weight_layers)


def integer_layers(draft: Draft) -> tuple[Layer, ...]:
    """Return the layers that compute in integers. Raises Unplantable if there is none."""
    all_integer = tuple(layer for layer in layers(draft) if _is_integer(draft, layer))
    if not all_integer:
        raise Unplantable("no layer computes in integers")
    return all_integer


def _is_integer(draft: Draft, layer: Layer) -> bool:
    data = draft.graph.tensors[layer.operator.inputs[0]]
    types = (schema.TensorType.INT8, schema.TensorType.INT16)
    return data.type in types and layer.weight.type in types


def _unpacked_integers(draft: Draft) -> dict[int, int]:
    """Map the output of each DEQUANTIZE of an integer constant to that constant, by index."""
    dequantize = schema.BuiltinOperator.DEQUANTIZE
    pairs = [
        (int(operator.outputs[0]), int(operator.inputs[0]))
        for operator in draft.graph.operators
        if draft.builtin(operator) == dequantize
    ]
    tensors = draft.graph.tensors
    return {
        output: source
        for output, source in pairs
        if draft.holds(tensors[source]) and tensors[source].type in _INTEGERS
    }


def first(draft: Draft) -> Layer:
    """Return the first layer. Raises Unplantable if there is none.

    If the model has several inputs, returns the first layer with the largest output among theirs.
    """
    all_layers = layers(draft)
    if len(draft.graph.inputs) == 1:
        return all_layers[0]
    by_number = {layer.number: layer for layer in all_layers}
    behind_a_layer: set[int] = set()
    first_layers = []
    for number, operator in enumerate(draft.graph.operators):
        layer = by_number.get(number)
        reads_a_layer = not behind_a_layer.isdisjoint(map(int, operator.inputs))
        if layer and not reads_a_layer:
            first_layers.append(layer)
        if layer or reads_a_layer:
            behind_a_layer.update(map(int, operator.outputs))
    return max(first_layers, key=lambda layer: output_size(draft, layer))


def last(draft: Draft) -> Layer:
    """Return the last layer that computes the output that decides.

    Raises Unplantable if no layer does. With one output, the last layer of the graph counts.
    """
    all_layers = layers(draft)
    if len(draft.graph.outputs) == 1:
        return all_layers[-1]
    by_number = {layer.number: layer for layer in all_layers}
    needed = {draft.output}
    for number, operator in reversed(list(enumerate(draft.graph.operators))):
        if needed.intersection(map(int, operator.outputs)):
            layer = by_number.get(number)
            if layer:
                return layer
            needed.update(map(int, operator.inputs))
    raise Unplantable("no layer with constant weights leads to the output that decides")


def output_size(draft: Draft, layer: Layer) -> int:
    """Return the number of values that a layer computes for the shape in the file."""
    return int(np.prod(draft.graph.tensors[layer.operator.outputs[0]].shape))

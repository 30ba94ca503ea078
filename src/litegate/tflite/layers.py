"""Find the layers of a graph, and name them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import final

from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Subgraph, Tensor

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"})
"""Operators between layers, which belong to no layer."""
_MOVES = """
    BATCH_TO_SPACE_ND BROADCAST_TO CAST DEPTH_TO_SPACE DEQUANTIZE EXPAND_DIMS GATHER GATHER_ND PACK
    QUANTIZE RESHAPE SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE
    TRANSPOSE UNPACK
"""
MOVE_OPERATORS = frozenset(_MOVES.split())
"""Operators that move or convert values without computing new ones."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLayer:
    """An operator that computes real values."""

    operator: Operator
    output: Tensor
    """The first tensor that it writes."""
    reads: tuple[Tensor | None, ...]
    """Its operands; None for one that is constant, absent or not of real values."""


def keras_name(tensor: str) -> str:
    """Return the Keras layer in a tensor's name; empty if it names no layer.

    "model/conv2d_1/BiasAdd;model/conv2d_2/Conv2D" gives conv2d_1: the converter joins the names of
    the operators that it fuses.
    """
    parts = [part.split("/") for part in tensor.split(";") if "/" in part]
    own = next((part for part in parts if part[-1] == "BiasAdd"), parts[-1] if parts else ("", ""))
    return own[-2].removeprefix("quant_")


def graph_layers(subgraph: Subgraph) -> tuple[GraphLayer, ...]:
    """Return the layers of a subgraph, in the order of execution."""
    computing = (operator for operator in subgraph.operators if operator.name not in MOVE_OPERATORS)
    layers = (_layer(subgraph, operator) for operator in computing)
    return tuple(layer for layer in layers if layer)


def _layer(subgraph: Subgraph, operator: Operator) -> GraphLayer | None:
    output = _real(subgraph, operator.outputs[0]) if operator.outputs else None
    reads = tuple(_real(subgraph, index) for index in operator.inputs)
    if output is None or not any(reads):
        return None
    return GraphLayer(operator=operator, output=output, reads=reads)


def _real(subgraph: Subgraph, index: int) -> Tensor | None:
    """Return the tensor if it has real values that are computed in the run, otherwise None."""
    if index == ABSENT:
        return None
    tensor = subgraph.tensors[index]
    real = tensor.dtype in FLOATS or len(tensor.scales) == 1
    return tensor if real and not tensor.is_constant else None


def layer_names(graph: Graph, subgraph: Subgraph) -> dict[int, str]:
    """Return the names of a subgraph's layers, by the index of their operators.

    A layer has the name of the Keras layer; without one that of the output in the signature, of the
    tensor that it writes, or of the kind of operator. Operators of one Keras layer share its name.
    If several of one kind would, each is named like the tensor that it writes: exporters other than
    Keras put the whole network's name in the layer's place.
    """
    layers = graph_layers(subgraph)
    signed = _signed_names(graph, subgraph)
    names = {layer.operator.index: _name(layer, signed) for layer in layers}
    kinds = defaultdict[tuple[str, str], int](int)
    for layer in layers:
        kinds[names[layer.operator.index], layer.operator.name] += 1
    shared = {name for (name, _), count in kinds.items() if count > 1}
    for layer in layers:
        if names[layer.operator.index] in shared and layer.output.name:
            names[layer.operator.index] = layer.output.name.rstrip(";")
    return names


def _name(layer: GraphLayer, signed: dict[int, str]) -> str:
    tensor = layer.output.name
    return (
        keras_name(tensor)
        or signed.get(layer.output.index, "")
        or tensor.rstrip(";")
        or layer.operator.name.lower()
    )


def _signed_names(graph: Graph, subgraph: Subgraph) -> dict[int, str]:
    """Return the signature's names of outputs, also of what is only converted into an output."""
    names = graph.output_names(subgraph.index)
    for operator in reversed(subgraph.operators):
        if operator.name in CONVERSIONS and operator.inputs and operator.outputs:
            names.setdefault(operator.inputs[0], names.get(operator.outputs[0], ""))
    return names

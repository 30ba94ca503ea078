"""Match the layers of two files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import final

from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Subgraph, Tensor

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
    """An operator of the main graph that computes real values."""

    operator: Operator
    output: Tensor
    """The first tensor that it writes."""
    reads: tuple[Tensor | None, ...]
    """Its operands; None for one that is constant, absent or not of real values."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """A layer of the reference and its counterpart in the candidate."""

    reference: GraphLayer
    candidate: GraphLayer

    @property
    def name(self) -> str:
        """The Keras layer's name if one of the files has it, otherwise the operator's kind."""
        layers = (self.reference, self.candidate)
        names = (keras_name(layer.output.name) for layer in layers)
        return next(filter(None, names), self.reference.operator.name.lower())


def keras_name(tensor: str) -> str:
    """Return the Keras layer in a tensor's name; empty if it names no layer.

    "model/conv2d_1/BiasAdd;model/conv2d_2/Conv2D" gives conv2d_1: the converter joins the names of
    the operators that it fuses.
    """
    parts = [part.split("/") for part in tensor.split(";") if "/" in part]
    own = next((part for part in parts if part[-1] == "BiasAdd"), parts[-1] if parts else ("", ""))
    return own[-2].removeprefix("quant_")


def graph_layers(graph: Graph) -> tuple[GraphLayer, ...]:
    """Return the layers of the main graph, in the order of execution."""
    computing = (
        operator for operator in graph.main.operators if operator.name not in MOVE_OPERATORS
    )
    layers = (_layer(graph.main, operator) for operator in computing)
    return tuple(layer for layer in layers if layer)


def _layer(main: Subgraph, operator: Operator) -> GraphLayer | None:
    output = _real(main, operator.outputs[0]) if operator.outputs else None
    reads = tuple(_real(main, index) for index in operator.inputs)
    if output is None or not any(reads):
        return None
    return GraphLayer(operator=operator, output=output, reads=reads)


def _real(main: Subgraph, index: int) -> Tensor | None:
    """Return the tensor if it has real values that are computed in the run, otherwise None."""
    if index == ABSENT:
        return None
    tensor = main.tensors[index]
    real = tensor.dtype in FLOATS or len(tensor.scales) == 1
    return tensor if real and not tensor.is_constant else None


def match_layers(reference: Graph, candidate: Graph) -> tuple[LayerPair, ...]:
    """Match the layers of two files, in the candidate's order.

    Layers of the same kind and output shape match if they have the same name. The layers that are
    left match in order if they have the same fused activation and both files have equally many.
    """
    keys: tuple[Callable[[GraphLayer], Hashable], ...] = (
        lambda layer: (_kind(layer), layer.output.name or id(layer)),
        lambda layer: (_kind(layer), layer.operator.activation),
    )
    ours, theirs = graph_layers(reference), graph_layers(candidate)
    matched: list[LayerPair] = []
    for key in keys:
        matched += _match(ours, theirs, key)
        done = {id(layer) for pair in matched for layer in (pair.reference, pair.candidate)}
        ours = tuple(layer for layer in ours if id(layer) not in done)
        theirs = tuple(layer for layer in theirs if id(layer) not in done)
    return tuple(sorted(matched, key=lambda pair: pair.candidate.operator.index))


def _kind(layer: GraphLayer) -> Hashable:
    return layer.operator.name, layer.operator.custom_code, layer.output.shape


def _match(
    reference: Sequence[GraphLayer],
    candidate: Sequence[GraphLayer],
    key: Callable[[GraphLayer], Hashable],
) -> list[LayerPair]:
    groups: defaultdict[Hashable, tuple[list[GraphLayer], list[GraphLayer]]] = defaultdict(
        lambda: ([], [])
    )
    for side, layers in enumerate((reference, candidate)):
        for layer in layers:
            groups[key(layer)][side].append(layer)
    return [
        LayerPair(reference=layer, candidate=counterpart)
        for ours, theirs in groups.values()
        if len(ours) == len(theirs)
        for layer, counterpart in zip(ours, theirs, strict=True)
    ]

"""Which layer of one file is which of another."""

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
MOVES = frozenset(_MOVES.split())
"""Operators that move values or give them another type, and compute none."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An operator of the main graph that computes real values."""

    operator: Operator
    output: Tensor
    """What it writes first."""
    reads: tuple[Tensor | None, ...]
    """Its operands; None for one that is constant, absent or no real values."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A layer of the reference and what stands in its place in the candidate."""

    reference: Layer
    candidate: Layer

    @property
    def name(self) -> str:
        """What Keras called the layer, where one of the files says; else the operator's kind."""
        layers = (self.reference, self.candidate)
        found = (keras_name(one.output.name) for one in layers)
        return next(filter(None, found), self.reference.operator.name.lower())


def keras_name(tensor: str) -> str:
    """The Keras layer that a tensor's name tells of; empty where it tells of none.

    "model/conv2d_1/BiasAdd;model/conv2d_2/Conv2D" tells of conv2d_1: the converter joins the names
    of what it fuses.
    """
    parts = [part.split("/") for part in tensor.split(";") if "/" in part]
    own = next((part for part in parts if part[-1] == "BiasAdd"), parts[-1] if parts else ("", ""))
    return own[-2].removeprefix("quant_")


def layers(graph: Graph) -> tuple[Layer, ...]:
    """The layers of the main graph, in the order of execution."""
    found = (_layer(graph.main, one) for one in graph.main.operators if one.name not in MOVES)
    return tuple(one for one in found if one)


def _layer(main: Subgraph, operator: Operator) -> Layer | None:
    output = _real(main, operator.outputs[0]) if operator.outputs else None
    reads = tuple(_real(main, index) for index in operator.inputs)
    if output is None or not any(reads):
        return None
    return Layer(operator=operator, output=output, reads=reads)


def _real(main: Subgraph, index: int) -> Tensor | None:
    """The tensor, where it stands for real numbers that are not known before the run."""
    if index == ABSENT:
        return None
    tensor = main.tensors[index]
    real = tensor.dtype in FLOATS or len(tensor.scales) == 1
    return tensor if real and not tensor.is_constant else None


def pairs(reference: Graph, candidate: Graph) -> tuple[Pair, ...]:
    """The layers that belong together, in the candidate's order.

    Layers of one kind and output shape belong together that have the same name; those left over
    that have the same fused activation too, in their order, where both files have equally many.
    """
    keys: tuple[Callable[[Layer], Hashable], ...] = (
        lambda one: (_kind(one), one.output.name or id(one)),
        lambda one: (_kind(one), one.operator.activation),
    )
    left, right = layers(reference), layers(candidate)
    found: list[Pair] = []
    for key in keys:
        found += _paired(left, right, key)
        left = tuple(one for one in left if all(one is not pair.reference for pair in found))
        right = tuple(one for one in right if all(one is not pair.candidate for pair in found))
    return tuple(sorted(found, key=lambda pair: pair.candidate.operator.index))


def _kind(layer: Layer) -> Hashable:
    return layer.operator.name, layer.operator.custom_code, layer.output.shape


def _paired(
    left: Sequence[Layer], right: Sequence[Layer], key: Callable[[Layer], Hashable]
) -> list[Pair]:
    groups: defaultdict[Hashable, tuple[list[Layer], list[Layer]]] = defaultdict(lambda: ([], []))
    for side, every in enumerate((left, right)):
        for one in every:
            groups[key(one)][side].append(one)
    return [
        Pair(reference=one, candidate=other)
        for ours, theirs in groups.values()
        if len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True)
    ]

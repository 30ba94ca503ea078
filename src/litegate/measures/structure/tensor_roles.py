"""What each tensor of a graph is for: input, output, weight, bias, activation or constant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.spec import Recipe
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor


class Role(StrEnum):
    """What a tensor is for; the value is how it reads in a sentence."""

    INPUT = "input"
    OUTPUT = "output"
    WEIGHT = "weight"
    BIAS = "bias"
    ACTIVATION = "activation"
    CONSTANT = "shape or constant"
    """A constant that is no weight, an integer computed from shapes alone, or a tensor that is read
    for its shape alone."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Which operands of an operator are learned, and how LiteRT's kernels want them quantized."""

    weights: tuple[int, ...] = (1,)
    """Operands that are weights where they are constant."""
    bias: int | None = 2
    data: int = 0
    """The operand whose scale, times the weight's, is the bias's."""
    channel: int | None = 0
    """The weight's dimension of output channels; None where one scale serves all."""
    per_channel: bool = False
    """Whether an integer weight must have a scale for each channel."""
    as_activation: bool = False
    """Whether a constant is quantized as the activation that might stand in its place."""


LAYERS: Mapping[str, Layer] = {
    "CONV_2D": Layer(per_channel=True),
    "DEPTHWISE_CONV_2D": Layer(channel=3, per_channel=True),
    "FULLY_CONNECTED": Layer(),
    "TRANSPOSE_CONV": Layer(data=2, bias=3),
    "CONV_3D": Layer(channel=None),
    "CONV_3D_TRANSPOSE": Layer(data=2, bias=3, channel=None),
    "BATCH_MATMUL": Layer(weights=(0, 1), bias=None, channel=None, as_activation=True),
}

TABLES: Mapping[str, int] = {"GATHER": 0, "GATHER_ND": 0, "EMBEDDING_LOOKUP": 1}
"""Operators that read rows of a table, as an embedding does, and which operand that is."""
UNKNOWN_LAYERS = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "EMBEDDING_LOOKUP_SPARSE",
        "LSTM",
        "RNN",
        "STABLEHLO_COMPOSITE",
        "STABLEHLO_CONVOLUTION",
        "STABLEHLO_DOT_GENERAL",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
    }
)
"""Operators with weights whose operands are not told apart here."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One operator that reads weights and perhaps a bias."""

    operator: Operator
    layer: Layer
    data: Tensor | None
    weights: tuple[Tensor, ...]
    """The constants themselves, also where a DEQUANTIZE stands between them and the operator."""
    bias: Tensor | None


def uses(subgraph: Subgraph) -> tuple[Use, ...]:
    """Every operator of `LAYERS` in a subgraph, in order, with the constants that it reads."""
    constant = _constants(subgraph)
    found = []
    for operator in subgraph.operators:
        if layer := LAYERS.get(operator.name):
            weights = (constant(operator, number) for number in layer.weights)
            use = Use(
                operator=operator,
                layer=layer,
                data=tensor_at(subgraph, operand(operator, layer.data)),
                weights=tuple(weight for weight in weights if weight),
                bias=constant(operator, layer.bias),
            )
            found.append(use)
    return tuple(found)


def tables(subgraph: Subgraph) -> tuple[tuple[Operator, Tensor], ...]:
    """Every operator of `TABLES` with the constant table that it reads rows of, in order."""
    constant = _constants(subgraph)
    found = ((one, constant(one, TABLES.get(one.name))) for one in subgraph.operators)
    return tuple((one, table) for one, table in found if table)


def _constants(subgraph: Subgraph) -> Callable[[Operator, int | None], Tensor | None]:
    """Gives the constant that an operand is, also behind a DEQUANTIZE, or None."""
    sources = _sources(subgraph)

    def constant(operator: Operator, number: int | None) -> Tensor | None:
        index = ABSENT if number is None else operand(operator, number)
        tensor = tensor_at(subgraph, sources.get(index, index))
        return tensor if tensor and tensor.is_constant else None

    return constant


def roles(subgraph: Subgraph) -> tuple[Role, ...]:
    """The role of each tensor of a subgraph, by the tensor's index.

    The inputs and outputs of a subgraph that is no entry of the file are activations.
    """
    shapes = _shapes(subgraph)
    found = {
        tensor.index: Role.CONSTANT
        if tensor.is_constant or tensor.index in shapes
        else Role.ACTIVATION
        for tensor in subgraph.tensors
    }
    for use in uses(subgraph):
        found |= {use.bias.index: Role.BIAS} if use.bias else {}
        found |= dict.fromkeys((weight.index for weight in use.weights), Role.WEIGHT)
    if subgraph.is_entry:
        found |= dict.fromkeys(subgraph.outputs, Role.OUTPUT)
        found |= dict.fromkeys(subgraph.inputs, Role.INPUT)
    return tuple(found[tensor.index] for tensor in subgraph.tensors)


def operand(operator: Operator, number: int) -> int:
    """The tensor index of an operator's input, ABSENT where it has none of that number."""
    return operator.inputs[number] if number < len(operator.inputs) else ABSENT


def tensor_at(subgraph: Subgraph, index: int) -> Tensor | None:
    """The tensor of that index, None for ABSENT."""
    return None if index == ABSENT else subgraph.tensors[index]


def _sources(subgraph: Subgraph) -> dict[int, int]:
    """From each unpacked constant to the constant that a DEQUANTIZE unpacks it from."""
    unpackers = (op for op in subgraph.operators if op.name == "DEQUANTIZE")
    return {output: operand(op, 0) for op in unpackers for output in op.outputs}


def _shapes(subgraph: Subgraph) -> set[int]:
    return set(_shape_arithmetic(subgraph)) | set(_read_for_shape(subgraph))


def _shape_arithmetic(subgraph: Subgraph) -> Iterator[int]:
    """Integers that come from a SHAPE, or from such integers and constant ones alone."""
    integers = {t.index for t in subgraph.tensors if t.dtype in ("int32", "int64")}
    known = {index for index in integers if subgraph.tensors[index].is_constant} | {ABSENT}
    for operator in subgraph.operators:
        if operator.name == "SHAPE" or (operator.inputs and known.issuperset(operator.inputs)):
            found = integers.intersection(operator.outputs)
            known |= found
            yield from found


def _read_for_shape(subgraph: Subgraph) -> set[int]:
    """Tensors whose only reader is SHAPE: their values never matter."""
    shaped, valued = set[int](), set(subgraph.outputs)
    for operator in subgraph.operators:
        (shaped if operator.name == "SHAPE" else valued).update(operator.inputs)
    return shaped - valued - {ABSENT}


CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"})
"""Operators that stand between layers and belong to none."""


def float_operators(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> frozenset[int]:
    """The indices of the operators that the recipe's `float_layers` are computed by."""
    if not recipe.float_layers:
        return frozenset()
    wanted = {name for layer in recipe.float_layers for name in (layer, f"quant_{layer}")}
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if operator.name not in CONVERTING and wanted & _path(graph, subgraph, operator)
    )


def _path(graph: Graph, subgraph: Subgraph, operator: Operator) -> set[str]:
    """Each part of the names of an operator's outputs."""
    signed = graph.output_names(subgraph.index)
    written = (index for index in operator.outputs if index != ABSENT)
    named = (signed.get(index, subgraph.tensors[index].name) for index in written)
    return {part for name in named for part in re.split("[/;]", name)}

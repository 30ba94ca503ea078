"""Find the role of each tensor: input, output, weight, bias, activation or constant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.spec import Recipe
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor


class Role(StrEnum):
    """The role of a tensor in its graph; the value is used in messages."""

    INPUT = "input"
    OUTPUT = "output"
    WEIGHT = "weight"
    BIAS = "bias"
    ACTIVATION = "activation"
    CONSTANT = "shape or constant"
    """A constant that is not a weight, an integer computed from shapes only, or a tensor of which
    only the shape is read."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOperands:
    """The learned operands of a kind of operator, and the quantization that LiteRT requires."""

    weights: tuple[int, ...] = (1,)
    """Operands that are weights if they are constant."""
    bias: int | None = 2
    data: int = 0
    """The operand whose scale, multiplied by the weight's, is the scale of the bias."""
    channel: int | None = 0
    """The weight's dimension of output channels; None if there is always one scale."""
    per_channel: bool = False
    """An integer weight must have a scale for each channel."""
    as_activation: bool = False
    """A constant is quantized like the activation that could take its place."""


LAYERS: Mapping[str, LayerOperands] = {
    "CONV_2D": LayerOperands(per_channel=True),
    "DEPTHWISE_CONV_2D": LayerOperands(channel=3, per_channel=True),
    "FULLY_CONNECTED": LayerOperands(),
    "TRANSPOSE_CONV": LayerOperands(data=2, bias=3),
    "CONV_3D": LayerOperands(channel=None),
    "CONV_3D_TRANSPOSE": LayerOperands(data=2, bias=3, channel=None),
    "BATCH_MATMUL": LayerOperands(weights=(0, 1), bias=None, channel=None, as_activation=True),
}

TABLE_OPERANDS: Mapping[str, int] = {"GATHER": 0, "GATHER_ND": 0, "EMBEDDING_LOOKUP": 1}
"""The table operand of each operator that reads rows of a table, as an embedding does."""
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
"""Operators with weights whose operands litegate does not distinguish."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerUse:
    """An operator with the weights and the bias that it reads."""

    operator: Operator
    layer: LayerOperands
    data: Tensor | None
    weights: tuple[Tensor, ...]
    """The constants, even if a DEQUANTIZE is between them and the operator."""
    bias: Tensor | None


def layer_uses(subgraph: Subgraph) -> tuple[LayerUse, ...]:
    """Return every operator of `LAYERS` in a subgraph, in order, with the constants it reads."""
    constant = _constant_lookup(subgraph)
    uses = []
    for operator in subgraph.operators:
        if layer := LAYERS.get(operator.name):
            weights = (constant(operator, number) for number in layer.weights)
            use = LayerUse(
                operator=operator,
                layer=layer,
                data=tensor_at(subgraph, operand(operator, layer.data)),
                weights=tuple(weight for weight in weights if weight),
                bias=constant(operator, layer.bias),
            )
            uses.append(use)
    return tuple(uses)


def table_reads(subgraph: Subgraph) -> tuple[tuple[Operator, Tensor], ...]:
    """Return every operator of `TABLE_OPERANDS` with its constant table, in order."""
    constant = _constant_lookup(subgraph)
    pairs = (
        (operator, constant(operator, TABLE_OPERANDS.get(operator.name)))
        for operator in subgraph.operators
    )
    return tuple((operator, table) for operator, table in pairs if table)


def _constant_lookup(subgraph: Subgraph) -> Callable[[Operator, int | None], Tensor | None]:
    """Return a function that finds an operand's constant, also behind a DEQUANTIZE, or None."""
    sources = _dequantize_sources(subgraph)

    def constant(operator: Operator, number: int | None) -> Tensor | None:
        index = ABSENT if number is None else operand(operator, number)
        tensor = tensor_at(subgraph, sources.get(index, index))
        return tensor if tensor and tensor.is_constant else None

    return constant


def roles(subgraph: Subgraph) -> tuple[Role, ...]:
    """Return the role of each tensor of a subgraph, in the order of the tensors.

    The inputs and outputs of a subgraph that callers cannot run are activations.
    """
    shapes = _shape_tensors(subgraph)
    role_by_index = {
        tensor.index: Role.CONSTANT
        if tensor.is_constant or tensor.index in shapes
        else Role.ACTIVATION
        for tensor in subgraph.tensors
    }
    for use in layer_uses(subgraph):
        role_by_index |= {use.bias.index: Role.BIAS} if use.bias else {}
        role_by_index |= dict.fromkeys((weight.index for weight in use.weights), Role.WEIGHT)
    if subgraph.is_entry:
        role_by_index |= dict.fromkeys(subgraph.outputs, Role.OUTPUT)
        role_by_index |= dict.fromkeys(subgraph.inputs, Role.INPUT)
    return tuple(role_by_index[tensor.index] for tensor in subgraph.tensors)


def operand(operator: Operator, number: int) -> int:
    """Return the tensor index of an operator's input; ABSENT if it has no such operand."""
    return operator.inputs[number] if number < len(operator.inputs) else ABSENT


def tensor_at(subgraph: Subgraph, index: int) -> Tensor | None:
    """Return the tensor at an index; None for ABSENT."""
    return None if index == ABSENT else subgraph.tensors[index]


def _dequantize_sources(subgraph: Subgraph) -> dict[int, int]:
    """Map the output of each DEQUANTIZE to its input, by tensor index."""
    unpackers = (op for op in subgraph.operators if op.name == "DEQUANTIZE")
    return {output: operand(op, 0) for op in unpackers for output in op.outputs}


def _shape_tensors(subgraph: Subgraph) -> set[int]:
    return set(_shape_arithmetic(subgraph)) | set(_read_for_shape(subgraph))


def _shape_arithmetic(subgraph: Subgraph) -> Iterator[int]:
    """Yield integers computed from a SHAPE, or only from such integers and constants."""
    integers = {t.index for t in subgraph.tensors if t.dtype in ("int32", "int64")}
    known = {index for index in integers if subgraph.tensors[index].is_constant} | {ABSENT}
    for operator in subgraph.operators:
        if operator.name == "SHAPE" or (operator.inputs and known.issuperset(operator.inputs)):
            computed = integers.intersection(operator.outputs)
            known |= computed
            yield from computed


def _read_for_shape(subgraph: Subgraph) -> set[int]:
    """Return tensors that only SHAPE reads: their values do not matter."""
    shape_read, value_read = set[int](), set(subgraph.outputs)
    for operator in subgraph.operators:
        (shape_read if operator.name == "SHAPE" else value_read).update(operator.inputs)
    return shape_read - value_read - {ABSENT}


CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"})
"""Operators between layers, which belong to no layer."""


def float_operators(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> frozenset[int]:
    """Return the indices of the operators that compute the recipe's `float_layers`."""
    if not recipe.float_layers:
        return frozenset()
    wanted = {name for layer in recipe.float_layers for name in (layer, f"quant_{layer}")}
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if operator.name not in CONVERSIONS and wanted & _name_components(graph, subgraph, operator)
    )


def _name_components(graph: Graph, subgraph: Subgraph, operator: Operator) -> set[str]:
    """Return all components of the names of an operator's outputs."""
    signature_names = graph.output_names(subgraph.index)
    outputs = (index for index in operator.outputs if index != ABSENT)
    names = (signature_names.get(index, subgraph.tensors[index].name) for index in outputs)
    return {component for name in names for component in re.split("[/;]", name)}

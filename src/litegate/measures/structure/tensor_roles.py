"""Find the role of each tensor: input, output, weight, bias, activation or constant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import final

from litegate.measures.structure.layer_operands import (
    TABLE_OPERANDS,
    LayerOperands,
    layer_operands,
)
from litegate.spec import Kind, Recipe
from litegate.spec.recipe import QUANTIZER_KINDS
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor
from litegate.tflite.layers import CONVERSIONS, layer_names


class Role(StrEnum):
    """The role of a tensor in its graph; the value is used in messages."""

    INPUT = "input"
    OUTPUT = "output"
    WEIGHT = "weight"
    BIAS = "bias"
    ACTIVATION = "activation"
    STATE = "state"
    """A variable, whose value persists from one invocation to the next, or the handle of one."""
    CONSTANT = "shape or constant"
    """A constant that is not a weight, an integer computed from shapes only, or a tensor whose
    values no operator computes or reads."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerUse:
    """An operator with the weights and the bias that it reads."""

    operator: Operator
    layer: LayerOperands
    data: Tensor | None
    weights: tuple[Tensor, ...]
    """The constants, even if operators of `UNPACKERS` are between them and the operator."""
    wide: frozenset[int]
    """Indices of the weights that may have 16 bits."""
    biases: tuple[Tensor, ...]
    factors: tuple[tuple[Tensor | None, Tensor | None], ...]
    """For each bias the two tensors whose scales, multiplied, are its scale."""


def layer_uses(subgraph: Subgraph) -> tuple[LayerUse, ...]:
    """Return every operator of `LAYERS` in a subgraph, in order, with the constants it reads."""
    constant = _constant_lookup(subgraph)

    def constants(operator: Operator, numbers: tuple[int, ...]) -> tuple[Tensor, ...]:
        operands = (constant(operator, number) for number in numbers)
        return tuple(tensor for tensor in operands if tensor)

    def factors(
        operator: Operator, layer: LayerOperands
    ) -> Iterator[tuple[Tensor | None, Tensor | None]]:
        pairs = layer.factors or [(layer.data, layer.weights[0])] * len(layer.biases)
        for bias, (data, weight) in zip(layer.biases, pairs, strict=True):
            if constant(operator, bias):
                yield tensor_at(subgraph, operand(operator, data)), constant(operator, weight)

    return tuple(
        LayerUse(
            operator=operator,
            layer=layer,
            data=tensor_at(subgraph, operand(operator, layer.data)),
            weights=constants(operator, layer.weights),
            wide=frozenset(tensor.index for tensor in constants(operator, layer.wide)),
            biases=constants(operator, layer.biases),
            factors=tuple(factors(operator, layer)),
        )
        for operator in subgraph.operators
        for layer in (layer_operands(operator),)
        if layer
    )


def table_reads(subgraph: Subgraph) -> tuple[tuple[Operator, Tensor], ...]:
    """Return every operator of `TABLE_OPERANDS` with its constant table, in order."""
    constant = _constant_lookup(subgraph)
    pairs = (
        (operator, constant(operator, TABLE_OPERANDS.get(operator.name)))
        for operator in subgraph.operators
    )
    return tuple((operator, table) for operator, table in pairs if table)


def _constant_lookup(subgraph: Subgraph) -> Callable[[Operator, int | None], Tensor | None]:
    """Return a function that finds an operand's constant, also one stored packed, or None."""
    sources = _packed_sources(subgraph)

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
    role_by_index = {tensor.index: _unlearned_role(tensor, shapes) for tensor in subgraph.tensors}
    for use in layer_uses(subgraph):
        role_by_index |= dict.fromkeys((bias.index for bias in use.biases), Role.BIAS)
        role_by_index |= dict.fromkeys((weight.index for weight in use.weights), Role.WEIGHT)
    if subgraph.is_entry:
        role_by_index |= dict.fromkeys(subgraph.outputs, Role.OUTPUT)
        role_by_index |= dict.fromkeys(subgraph.inputs, Role.INPUT)
    return tuple(role_by_index[tensor.index] for tensor in subgraph.tensors)


def _unlearned_role(tensor: Tensor, shapes: set[int]) -> Role:
    if tensor.is_variable or tensor.dtype == "resource":
        return Role.STATE
    is_constant = tensor.is_constant or tensor.index in shapes
    return Role.CONSTANT if is_constant else Role.ACTIVATION


def operand(operator: Operator, number: int) -> int:
    """Return the tensor index of an operator's input; ABSENT if it has no such operand."""
    return operator.inputs[number] if number < len(operator.inputs) else ABSENT


def tensor_at(subgraph: Subgraph, index: int) -> Tensor | None:
    """Return the tensor at an index; None for ABSENT."""
    return None if index == ABSENT else subgraph.tensors[index]


UNPACKERS = frozenset({"DENSIFY", "DEQUANTIZE"})
"""Operators between a constant and its reader: sparse and float16 weights are unpacked at run
time."""


def _packed_sources(subgraph: Subgraph) -> dict[int, int]:
    """Map the output of each operator of `UNPACKERS` to the packed tensor, by tensor index."""
    sources = dict[int, int]()
    for operator in subgraph.operators:
        if operator.name in UNPACKERS:
            packed = operand(operator, 0)
            sources |= dict.fromkeys(operator.outputs, sources.get(packed, packed))
    return sources


def _shape_tensors(subgraph: Subgraph) -> set[int]:
    return set(_shape_arithmetic(subgraph)) | _without_values(subgraph)


def _shape_arithmetic(subgraph: Subgraph) -> Iterator[int]:
    """Yield integers computed from a SHAPE, or only from such integers and constants."""
    integers = {t.index for t in subgraph.tensors if t.dtype in ("int32", "int64")}
    known = {index for index in integers if subgraph.tensors[index].is_constant} | {ABSENT}
    for operator in subgraph.operators:
        if operator.name == "SHAPE" or (operator.inputs and known.issuperset(operator.inputs)):
            computed = integers.intersection(operator.outputs)
            known |= computed
            yield from computed


def _without_values(subgraph: Subgraph) -> set[int]:
    """Return the tensors whose values do not matter.

    Only SHAPE reads them, or no operator reads or writes them, as the empty tensors beside an LSTM
    that keep the scales of its intermediate results.
    """
    shape_read, value_read, written = set[int](), set(subgraph.outputs), set(subgraph.inputs)
    for operator in subgraph.operators:
        (shape_read if operator.name == "SHAPE" else value_read).update(operator.inputs)
        written.update(operator.outputs)
    unused = {tensor.index for tensor in subgraph.tensors} - value_read - shape_read - written
    return (shape_read - value_read - {ABSENT}) | unused


def float_operators(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> frozenset[int]:
    """Return the indices of the operators that compute the recipe's `float_layers`."""
    return _operators_of(graph, subgraph, recipe.kind, recipe.float_layers)


def int16_operators(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> frozenset[int]:
    """Return the indices of the operators that compute the recipe's `int16_layers`."""
    return _operators_of(graph, subgraph, recipe.kind, recipe.int16_layers)


def _operators_of(
    graph: Graph, subgraph: Subgraph, kind: Kind, layers: Collection[str]
) -> frozenset[int]:
    """Return the indices of the operators of some layers.

    litert-quantizer decides by operator, and its recipes name layers as `layer_names` does. The
    layers of a Keras network may become several operators, whose names have the layer's in them.
    """
    if not layers:
        return frozenset()
    if kind in QUANTIZER_KINDS:
        names = layer_names(graph, subgraph)
        return frozenset(index for index, name in names.items() if name in layers)
    wanted = {name for layer in layers for name in (layer, f"quant_{layer}")}
    signature_names = graph.output_names(subgraph.index)
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if operator.name not in CONVERSIONS
        and wanted & _name_components(signature_names, subgraph, operator)
    )


def _name_components(
    signature_names: Mapping[int, str], subgraph: Subgraph, operator: Operator
) -> set[str]:
    """Return all components of the names of an operator's outputs."""
    outputs = (index for index in operator.outputs if index != ABSENT)
    names = (signature_names.get(index, subgraph.tensors[index].name) for index in outputs)
    return {component for name in names for component in re.split("[/;]", name)}

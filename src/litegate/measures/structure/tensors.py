"""Count the tensors and operators of an artifact that violate its recipe's rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.measures.structure.allowed_types import (
    FLOAT32,
    INT16,
    OPERATOR_RULES,
    QUANTIZED_LAYERS,
    TENSOR_RULES,
    allowed_forms,
)
from litegate.measures.structure.layer_operands import (
    UNKNOWN_LAYERS,
    LayerOperands,
    layer_operands,
)
from litegate.measures.structure.operators import graph_prefix, operator_breaches, operator_label
from litegate.measures.structure.tensor_roles import (
    LayerUse,
    Role,
    float_operators,
    int16_operators,
    layer_uses,
    roles,
)
from litegate.measures.structure.tensor_types import (
    Form,
    Grain,
    block_breach,
    breach,
    product_breach,
)
from litegate.spec import Artifact, Kind, Recipe
from litegate.spec.recipe import QUANTIZER_KINDS
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse


def tensor_violations(artifact: Artifact) -> Measurement:
    """Count the tensors that violate the recipe's rules for their role.

    Raises ArtifactError if the file cannot be read, MeasurementError if it has no tensor.
    """
    graph = parse(artifact.tflite, subject=artifact.name)
    measurement = violations(
        Name.TENSOR_VIOLATIONS,
        artifact.name,
        tensor_breaches(graph, artifact.recipe),
        n=_tensor_count(graph),
        artifacts=(artifact.sha256,),
    )
    return replace(measurement, evidence=(_role_counts(graph),))


def operator_violations(artifact: Artifact) -> Measurement:
    """Count custom, Flex, hybrid and float operators, and misplaced QUANTIZE or DEQUANTIZE.

    Custom and Flex operators violate every recipe; `allowed_types.OPERATOR_RULES` has the other
    rules. Raises ArtifactError if the file cannot be read, MeasurementError if it has no operator.
    """
    graph = parse(artifact.tflite, subject=artifact.name)
    return violations(
        Name.OPERATOR_VIOLATIONS,
        artifact.name,
        operator_breaches(graph, artifact.recipe),
        n=sum(len(subgraph.operators) for subgraph in graph.subgraphs),
        artifacts=(artifact.sha256,),
    )


def reference_violations(reference: Artifact) -> Measurement:
    """Count the tensors and operators of a float reference that are not float.

    The rules are those of `float32`, whatever the artifact's own recipe is. Raises as
    `tensor_violations`.
    """
    graph = parse(reference.tflite, subject=reference.name)
    recipe = Recipe(name=Kind.FLOAT32.value, kind=Kind.FLOAT32)
    return violations(
        Name.REFERENCE_VIOLATIONS,
        reference.name,
        tensor_breaches(graph, recipe) + operator_breaches(graph, recipe),
        n=_tensor_count(graph),
        artifacts=(reference.sha256,),
    )


def _tensor_count(graph: Graph) -> int:
    return sum(len(subgraph.tensors) for subgraph in graph.subgraphs)


def _role_counts(graph: Graph) -> str:
    counts = Counter(role for subgraph in graph.subgraphs for role in roles(subgraph))
    return ", ".join(f"{role} {counts[role]}" for role in Role if counts[role])


def tensor_breaches(graph: Graph, recipe: Recipe) -> tuple[str, ...]:
    """Return a sentence for each tensor of a graph that violates the recipe's rules, in order."""
    rules = (_unknown_layers, _weights, _biases, _others, _blocks)
    return tuple(
        f"{graph_prefix(subgraph)}{sentence}"
        for subgraph in graph.subgraphs
        for _, sentence in sorted(
            breach for rule in rules for breach in rule(graph, subgraph, recipe)
        )
    )


Breaches = Iterator[tuple[int, str]]
"""Pairs of a tensor's index, or -1 for an operator, and a sentence."""


def _kinds(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> dict[int, Kind]:
    """Return the kind whose rules each operator must keep, by the operators' index."""
    kinds = dict.fromkeys((operator.index for operator in subgraph.operators), recipe.kind)
    kinds |= dict.fromkeys(int16_operators(graph, subgraph, recipe), Kind.STATIC_WI8_AI16)
    return kinds | dict.fromkeys(float_operators(graph, subgraph, recipe), Kind.FLOAT32)


def _unknown_layers(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    kinds = _kinds(graph, subgraph, recipe)
    for operator in subgraph.operators:
        kind = kinds[operator.index]
        if kind is Kind.FLOAT32:
            continue
        layer = layer_operands(operator)
        if operator.name in UNKNOWN_LAYERS or (layer and not _is_judged(layer, kind)):
            label = operator_label(operator)
            yield -1, f"{label} has weights that litegate cannot judge; expected none"


def _is_judged(layer: LayerOperands, kind: Kind) -> bool:
    """Return True if litegate knows the forms that a kind allows for a layer's operands."""
    return layer.integer_rules or OPERATOR_RULES[kind].floats


def _judged_uses(
    graph: Graph, subgraph: Subgraph, recipe: Recipe
) -> Iterator[tuple[LayerUse, Kind]]:
    """Yield each layer whose operands can be judged, with the kind whose rules it must keep."""
    kinds = _kinds(graph, subgraph, recipe)
    for use in layer_uses(subgraph):
        kind = kinds[use.operator.index]
        if _is_judged(use.layer, kind):
            yield use, kind


def _weights(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    for use, kind in _judged_uses(graph, subgraph, recipe):
        kind_forms = _weight_forms(kind, use)
        for weight in use.weights:
            is_wide = not OPERATOR_RULES[kind].floats and weight.index in use.wide
            forms = (*kind_forms, INT16) if is_wide else kind_forms
            if problem := breach(weight, forms, channel=_channel(recipe, use, weight)):
                yield _tensor_breach(weight, f"weight of {operator_label(use.operator)}", problem)


def _channel(recipe: Recipe, use: LayerUse, weight: Tensor) -> int | None:
    """Return the dimension of a weight's output channels; None if it always has one scale.

    litert-quantizer alone gives the columns of a matrix of BATCH_MATMUL a scale each.
    """
    if recipe.kind in QUANTIZER_KINDS and use.layer.as_activation and len(weight.scales) > 1:
        return len(weight.shape) - (2 if use.operator.option("adj_y", 0) else 1)
    return use.layer.channel


def _weight_forms(kind: Kind, use: LayerUse) -> tuple[Form, ...]:
    layer, name = use.layer, use.operator.name
    if kind in QUANTIZED_LAYERS and name not in QUANTIZED_LAYERS[kind]:
        return (FLOAT32,)
    if layer.as_activation and not OPERATOR_RULES[kind].floats:
        return TENSOR_RULES[kind][Role.CONSTANT]
    forms = TENSOR_RULES[kind][Role.WEIGHT]
    if layer.per_channel and not OPERATOR_RULES[kind].floats:
        return tuple(replace(form, grain=Grain.CHANNEL) for form in forms)
    return forms


def _biases(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    """Check each operator's bias.

    Operators may share a bias of zeros. It has one scale, so it can match only one of them, and the
    scale of zeros changes nothing: one match is enough.
    """
    judged = [
        (use, bias, _bias_breach(bias, TENSOR_RULES[kind][Role.BIAS], factors))
        for use, kind in _judged_uses(graph, subgraph, recipe)
        for bias, factors in zip(use.biases, use.factors, strict=True)
    ]
    sound = {bias.index for _, bias, problem in judged if not problem}
    for use, bias, problem in judged:
        shared_zeros = bias.index in sound and not any(graph.buffers[bias.buffer].data)
        if problem and not shared_zeros:
            yield _tensor_breach(bias, f"bias of {operator_label(use.operator)}", problem)


def _bias_breach(
    bias: Tensor, forms: tuple[Form, ...], factors: tuple[Tensor | None, Tensor | None]
) -> str:
    problem = breach(bias, forms, channel=0)
    if problem or not any(form.product for form in forms):
        return problem
    return product_breach(bias, *factors)


def _others(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    writers, readers = _neighbours(subgraph)
    kinds = _kinds(graph, subgraph, recipe)
    scales = {tensor.block_scales for tensor in subgraph.tensors}
    for tensor, role in zip(subgraph.tensors, roles(subgraph), strict=True):
        computed_shape = role is Role.CONSTANT and not tensor.is_constant
        if computed_shape or role in (Role.WEIGHT, Role.BIAS) or tensor.index in scales:
            continue
        read_by = [operator.name for operator in readers[tensor.index]]
        forms = allowed_forms(recipe, role)
        owners = _owners(writers[tensor.index], readers[tensor.index])
        kind, *others = {kinds[operator.index] for operator in owners} or {recipe.kind}
        if kind is not recipe.kind and not others:
            forms = TENSOR_RULES[kind].get(role, forms)
        # Rows, dimension 0, are the channels of an embedding's table.
        if problem := breach(tensor, forms, channel=0, readers=read_by):
            neighbours = (*writers[tensor.index], *readers[tensor.index])
            yield _tensor_breach(
                tensor,
                f"{role} of {operator_label(neighbours[0])}" if neighbours else role,
                problem,
            )


def _blocks(graph: Graph, subgraph: Subgraph, _recipe: Recipe) -> Breaches:
    """Check the scales of every tensor that has one for each block."""
    for tensor in subgraph.tensors:
        if tensor.block_scales != ABSENT:
            scales = subgraph.tensors[tensor.block_scales]
            if problem := block_breach(tensor, scales, graph.buffers[scales.buffer].data):
                yield _tensor_breach(tensor, "quantized in blocks", problem)


def _owners(writers: list[Operator], readers: list[Operator]) -> list[Operator]:
    """Return the operators whose rules a tensor must keep.

    They write it; those that read it are the owners of a constant, an input and a converted value.
    """
    conversions = ("DEQUANTIZE", "QUANTIZE")
    return [operator for operator in writers if operator.name not in conversions] or readers


def _neighbours(
    subgraph: Subgraph,
) -> tuple[Mapping[int, list[Operator]], Mapping[int, list[Operator]]]:
    """Return the writers and the readers of each tensor, by the tensor's index."""
    writers: defaultdict[int, list[Operator]] = defaultdict(list)
    readers: defaultdict[int, list[Operator]] = defaultdict(list)
    for operator in subgraph.operators:
        for index in operator.outputs:
            writers[index].append(operator)
        for index in operator.inputs:
            readers[index].append(operator)
    return writers, readers


def _tensor_breach(tensor: Tensor, role: str, problem: str) -> tuple[int, str]:
    return tensor.index, f"tensor {tensor.index} {tensor.name!r}, {role}, {problem}"

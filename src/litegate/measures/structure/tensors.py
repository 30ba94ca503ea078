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


def _unknown_layers(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    float_indices = float_operators(graph, subgraph, recipe)
    for operator in subgraph.operators:
        if recipe.kind is Kind.FLOAT32 or operator.index in float_indices:
            continue
        layer = layer_operands(operator)
        if operator.name in UNKNOWN_LAYERS or (layer and not _is_judged(layer, recipe)):
            label = operator_label(operator)
            yield -1, f"{label} has weights that litegate cannot judge; expected none"


def _is_judged(layer: LayerOperands, recipe: Recipe) -> bool:
    """Return True if litegate knows the forms that a recipe allows for a layer's operands."""
    return layer.integer_rules or OPERATOR_RULES[recipe.kind].floats


def _judged_uses(
    graph: Graph, subgraph: Subgraph, recipe: Recipe
) -> Iterator[tuple[LayerUse, bool]]:
    """Yield each layer whose operands can be judged, and whether it is declared float."""
    float_indices = float_operators(graph, subgraph, recipe)
    for use in layer_uses(subgraph):
        is_float = use.operator.index in float_indices
        if is_float or _is_judged(use.layer, recipe):
            yield use, is_float


def _weights(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    for use, is_float in _judged_uses(graph, subgraph, recipe):
        recipe_forms = (FLOAT32,) if is_float else _weight_forms(recipe, use)
        is_integer = not (is_float or OPERATOR_RULES[recipe.kind].floats)
        for weight in use.weights:
            is_wide = is_integer and weight.index in use.wide
            forms = (*recipe_forms, INT16) if is_wide else recipe_forms
            if problem := breach(weight, forms, channel=_channel(recipe, use, weight)):
                yield _tensor_breach(weight, f"weight of {operator_label(use.operator)}", problem)


def _channel(recipe: Recipe, use: LayerUse, weight: Tensor) -> int | None:
    """Return the dimension of a weight's output channels; None if it always has one scale.

    litert-quantizer alone gives the columns of a matrix of BATCH_MATMUL a scale each.
    """
    if recipe.kind in QUANTIZER_KINDS and use.layer.as_activation and len(weight.scales) > 1:
        return len(weight.shape) - (2 if use.operator.option("adj_y", 0) else 1)
    return use.layer.channel


def _weight_forms(recipe: Recipe, use: LayerUse) -> tuple[Form, ...]:
    layer, name = use.layer, use.operator.name
    if recipe.kind in QUANTIZED_LAYERS and name not in QUANTIZED_LAYERS[recipe.kind]:
        return (FLOAT32,)
    if layer.as_activation and not OPERATOR_RULES[recipe.kind].floats:
        return allowed_forms(recipe, Role.CONSTANT)
    forms = allowed_forms(recipe, Role.WEIGHT)
    if layer.per_channel and not OPERATOR_RULES[recipe.kind].floats:
        return tuple(replace(form, grain=Grain.CHANNEL) for form in forms)
    return forms


def _biases(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    """Check each operator's bias.

    Operators may share a bias of zeros. It has one scale, so it can match only one of them, and the
    scale of zeros changes nothing: one match is enough.
    """
    recipe_forms = allowed_forms(recipe, Role.BIAS)
    judged = [
        (use, bias, _bias_breach(bias, (FLOAT32,) if is_float else recipe_forms, factors))
        for use, is_float in _judged_uses(graph, subgraph, recipe)
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
    float_indices = float_operators(graph, subgraph, recipe)
    scales = {tensor.block_scales for tensor in subgraph.tensors}
    for tensor, role in zip(subgraph.tensors, roles(subgraph), strict=True):
        computed_shape = role is Role.CONSTANT and not tensor.is_constant
        if computed_shape or role in (Role.WEIGHT, Role.BIAS) or tensor.index in scales:
            continue
        read_by = [operator.name for operator in readers[tensor.index]]
        forms = allowed_forms(recipe, role)
        if _belongs_to_float_layers(writers[tensor.index], readers[tensor.index], float_indices):
            forms = TENSOR_RULES[Kind.FLOAT32].get(role, forms)
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


def _belongs_to_float_layers(
    writers: list[Operator], readers: list[Operator], float_indices: frozenset[int]
) -> bool:
    """Return True if declared float layers write a tensor or, for a constant or input, read it."""
    computed = [operator for operator in writers if operator.name != "DEQUANTIZE"]
    owners = computed or readers
    return bool(owners) and all(operator.index in float_indices for operator in owners)


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

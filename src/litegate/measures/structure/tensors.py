"""Tensors and operators: what of an artifact breaks the promise of its recipe, each by name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from litegate.measures.measurement import Measurement, violations
from litegate.measures.structure.operators import named, operator_breaches, part
from litegate.measures.structure.recipe_rules import FLOAT32, OPERATORS, PROMISES, promised
from litegate.measures.structure.tensor_roles import (
    UNKNOWN_LAYERS,
    Layer,
    Role,
    Use,
    float_operators,
    roles,
    uses,
)
from litegate.measures.structure.tensor_types import Form, Grain, breach, product_breach
from litegate.spec import Artifact, Kind, Recipe
from litegate.tflite.graph import Graph, Operator, Subgraph, Tensor
from litegate.tflite.reader import parse


def tensor_violations(artifact: Artifact) -> Measurement:
    """Count the tensors that break what the artifact's recipe promises for their role.

    ArtifactError where the file cannot be read, MeasurementError where it holds no tensor.
    """
    graph = parse(artifact.tflite, subject=artifact.name)
    found = violations(
        "broken tensor promises",
        artifact.name,
        tensor_breaches(graph, artifact.recipe),
        n=_tensors(graph),
        artifacts=(artifact.sha256,),
    )
    return replace(found, evidence=(_census(graph),))


def operator_violations(artifact: Artifact) -> Measurement:
    """Count custom, Flex, hybrid and float operators, and QUANTIZE or DEQUANTIZE out of place.

    Custom and Flex operators break every recipe's promise; the rest is as the table says.
    ArtifactError where the file cannot be read, MeasurementError where it holds no operator.
    """
    graph = parse(artifact.tflite, subject=artifact.name)
    return violations(
        "broken operator promises",
        artifact.name,
        operator_breaches(graph, artifact.recipe),
        n=sum(len(subgraph.operators) for subgraph in graph.subgraphs),
        artifacts=(artifact.sha256,),
    )


def reference_violations(reference: Artifact) -> Measurement:
    """Count the tensors and operators of a float reference that are not float.

    Judged as `float32`, whatever the artifact's own recipe says. Raises as `tensor_violations`.
    """
    graph = parse(reference.tflite, subject=reference.name)
    recipe = Recipe(name=reference.recipe.name, kind=Kind.FLOAT32)
    return violations(
        "broken float promises",
        reference.name,
        tensor_breaches(graph, recipe) + operator_breaches(graph, recipe),
        n=_tensors(graph),
        artifacts=(reference.sha256,),
    )


def _tensors(graph: Graph) -> int:
    return sum(len(subgraph.tensors) for subgraph in graph.subgraphs)


def _census(graph: Graph) -> str:
    counts = Counter(role for subgraph in graph.subgraphs for role in roles(subgraph))
    return ", ".join(f"{role} {counts[role]}" for role in Role if counts[role])


def tensor_breaches(graph: Graph, recipe: Recipe) -> tuple[str, ...]:
    """A sentence for each tensor of a graph that breaks the recipe's promise, in their order."""
    rules = (_unknown, _weights, _biases, _others)
    return tuple(
        f"{part(subgraph)}{sentence}"
        for subgraph in graph.subgraphs
        for _, sentence in sorted(
            breach for rule in rules for breach in rule(graph, subgraph, recipe)
        )
    )


Breaches = Iterator[tuple[int, str]]
"""The index of a tensor, -1 for an operator, and what is wrong with it."""


def _unknown(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    floats = float_operators(graph, subgraph, recipe)
    for operator in subgraph.operators:
        if recipe.kind is Kind.FLOAT32 or operator.index in floats:
            continue
        if operator.name in UNKNOWN_LAYERS:
            yield (
                -1,
                f"{named(operator)} has weights that litegate cannot judge; promised none such",
            )


def _weights(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    floats = float_operators(graph, subgraph, recipe)
    for use in uses(subgraph):
        is_float = use.operator.index in floats
        forms = (FLOAT32,) if is_float else _weight_forms(recipe, use.layer)
        for weight in use.weights:
            if found := breach(weight, forms, channel=use.layer.channel):
                yield _said(weight, f"weight of {named(use.operator)}", found)


def _weight_forms(recipe: Recipe, layer: Layer) -> tuple[Form, ...]:
    if layer.as_activation and not OPERATORS[recipe.kind].floats:
        return promised(recipe, Role.CONSTANT)
    forms = promised(recipe, Role.WEIGHT)
    if layer.per_channel and not OPERATORS[recipe.kind].floats:
        return tuple(replace(form, grain=Grain.CHANNEL) for form in forms)
    return forms


def _biases(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    """Each operator's bias; zeros that operators share have one scale, so one match is enough."""
    floats = float_operators(graph, subgraph, recipe)
    own = promised(recipe, Role.BIAS)
    judged = [
        (use, use.bias, _bias_breach(use.bias, forms, use))
        for use in uses(subgraph)
        for forms in ((FLOAT32,) if use.operator.index in floats else own,)
        if use.bias
    ]
    kept = {bias.index for _, bias, found in judged if not found}
    for use, bias, found in judged:
        shared_zeros = bias.index in kept and not any(graph.buffers[bias.buffer].data)
        if found and not shared_zeros:
            yield _said(bias, f"bias of {named(use.operator)}", found)


def _bias_breach(bias: Tensor, forms: tuple[Form, ...], use: Use) -> str:
    found = breach(bias, forms, channel=0)
    if found or not any(form.product for form in forms):
        return found
    return product_breach(bias, use.data, use.weights[0] if use.weights else None)


def _others(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Breaches:
    writers, readers = _neighbours(subgraph)
    floats = float_operators(graph, subgraph, recipe)
    for tensor, role in zip(subgraph.tensors, roles(subgraph), strict=True):
        computed_shape = role is Role.CONSTANT and not tensor.is_constant
        if computed_shape or role in (Role.WEIGHT, Role.BIAS):
            continue
        read_by = [operator.name for operator in readers[tensor.index]]
        forms = promised(recipe, role)
        if _is_float(writers[tensor.index], readers[tensor.index], floats):
            forms = PROMISES[Kind.FLOAT32].get(role, forms)
        if found := breach(tensor, forms, readers=read_by):
            near = (*writers[tensor.index], *readers[tensor.index])
            yield _said(tensor, f"{role} of {named(near[0])}" if near else role, found)


def _is_float(writers: list[Operator], readers: list[Operator], floats: frozenset[int]) -> bool:
    """Whether a tensor belongs to layers declared float: written by one, or on its way to them."""
    computed = [one for one in writers if one.name != "DEQUANTIZE"]
    owners = computed or readers
    return bool(owners) and all(one.index in floats for one in owners)


def _neighbours(
    subgraph: Subgraph,
) -> tuple[Mapping[int, list[Operator]], Mapping[int, list[Operator]]]:
    """The operators that write and that read each tensor, by the tensor's index."""
    writers: defaultdict[int, list[Operator]] = defaultdict(list)
    readers: defaultdict[int, list[Operator]] = defaultdict(list)
    for operator in subgraph.operators:
        for index in operator.outputs:
            writers[index].append(operator)
        for index in operator.inputs:
            readers[index].append(operator)
    return writers, readers


def _said(tensor: Tensor, role: str, found: str) -> tuple[int, str]:
    return tensor.index, f"tensor {tensor.index} {tensor.name!r}, {role}, {found}"

"""Find the operators of a graph that break a recipe's rules."""

from __future__ import annotations

from collections.abc import Iterator

from litegate.measures.structure.recipe_rules import OPERATOR_RULES, OperatorRule, Placement
from litegate.measures.structure.tensor_roles import float_operators
from litegate.spec import Recipe
from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Subgraph, Tensor


def operator_breaches(graph: Graph, recipe: Recipe) -> tuple[str, ...]:
    """Return a sentence for each operator of a graph that breaks the recipe's rules."""
    return tuple(
        f"{graph_prefix(subgraph)}{operator_label(operator)} {breach}"
        for subgraph in graph.subgraphs
        for operator, breach in _operator_breaches(graph, subgraph, recipe)
    )


def _operator_breaches(
    graph: Graph, subgraph: Subgraph, recipe: Recipe
) -> Iterator[tuple[Operator, str]]:
    rule, float_indices = OPERATOR_RULES[recipe.kind], float_operators(graph, subgraph, recipe)
    for operator in subgraph.operators:
        if operator.index in float_indices:
            breach = _float_breach(subgraph, operator)
        elif _is_at_float_border(subgraph, operator, float_indices):
            continue
        else:
            breach = _breach(subgraph, operator, rule)
        if breach:
            yield operator, breach


def operator_label(operator: Operator) -> str:
    """Return how messages name an operator: "operator 5 CONV_2D v3"."""
    return f"operator {operator.index} {operator.name} v{operator.version}"


def graph_prefix(subgraph: Subgraph) -> str:
    """Return the prefix that messages give tensors and operators outside the first subgraph."""
    return f"graph {subgraph.index}, " if subgraph.index else ""


def _breach(subgraph: Subgraph, operator: Operator, rule: OperatorRule) -> str:
    match operator.name:
        case "SHAPE":
            return ""
        case "CUSTOM":
            return _custom_breach(operator)
        case "QUANTIZE" | "FAKE_QUANT":
            return _placement_breach(subgraph, operator, rule.quantize)
        case "DEQUANTIZE":
            return _placement_breach(subgraph, operator, rule.dequantize)
        case _:
            return _arithmetic_breach(subgraph, operator, rule)


def _custom_breach(operator: Operator) -> str:
    kind = "Flex" if operator.custom_code.startswith("Flex") else "custom"
    return f"is the {kind} operator {operator.custom_code}; promised built-in ones alone"


def _tensors(subgraph: Subgraph, indices: tuple[int, ...]) -> Iterator[Tensor]:
    return (subgraph.tensors[index] for index in indices if index != ABSENT)


def _placement_breach(subgraph: Subgraph, operator: Operator, placement: Placement) -> str:
    if _is_allowed_at(subgraph, operator, placement):
        return ""
    source, result = (
        ", ".join(tensor.dtype for tensor in _tensors(subgraph, indices)) or "nothing"
        for indices in (operator.inputs, operator.outputs)
    )
    return f"turns {source} into {result}; promised {placement}"


def _is_allowed_at(subgraph: Subgraph, operator: Operator, placement: Placement) -> bool:
    match placement:
        case Placement.ANYWHERE:
            return True
        case Placement.CONSTANTS:
            return all(tensor.is_constant for tensor in _tensors(subgraph, operator.inputs))
        case Placement.PORTS:
            read = set(operator.inputs) & set(subgraph.inputs)
            written = set(operator.outputs) & set(subgraph.outputs)
            ports = subgraph.is_entry and bool(read or written)
            return ports or _rescales(subgraph, operator)
        case Placement.NOWHERE:
            return False


def _is_at_float_border(
    subgraph: Subgraph, operator: Operator, float_indices: frozenset[int]
) -> bool:
    """Return True if it converts integers to floats only for declared float layers, or back."""
    if operator.name == "DEQUANTIZE":
        outputs = set(operator.outputs)
        readers = {
            neighbour.index for neighbour in subgraph.operators if outputs & {*neighbour.inputs}
        }
        return bool(readers) and readers <= float_indices
    inputs = set(operator.inputs)
    writers = {neighbour.index for neighbour in subgraph.operators if inputs & {*neighbour.outputs}}
    return operator.name == "QUANTIZE" and bool(writers) and writers <= float_indices


def _float_breach(subgraph: Subgraph, operator: Operator) -> str:
    """Return what is wrong with an operator of a declared float layer, or an empty string."""
    if operator.name == "CUSTOM":
        return _custom_breach(operator)
    neighbours = _tensors(subgraph, operator.inputs + operator.outputs)
    quantized = next((tensor for tensor in neighbours if tensor.is_quantized), None)
    if quantized is None or operator.name == "SHAPE":
        return ""
    name = f"{quantized.dtype} {quantized.name!r}"
    return f"computes in integers: {name}; its layer is declared float"


def _rescales(subgraph: Subgraph, operator: Operator) -> bool:
    """Return True if it only changes the scale of an integer type.

    Quantization-aware training does so before a CONCATENATION.
    """
    types = {tensor.dtype for tensor in _tensors(subgraph, operator.inputs + operator.outputs)}
    return len(types) == 1 and not types & FLOATS


def _arithmetic_breach(subgraph: Subgraph, operator: Operator, rule: OperatorRule) -> str:
    inputs = list(_tensors(subgraph, operator.inputs))
    outputs = _tensors(subgraph, operator.outputs)
    floats = [tensor for tensor in (*inputs, *outputs) if tensor.dtype in FLOATS]
    quantized = [tensor for tensor in inputs if tensor.is_quantized and tensor.dtype not in FLOATS]
    if floats and quantized and not rule.hybrid:
        return (
            f"is a hybrid kernel: {quantized[0].dtype} {quantized[0].name!r} beside "
            f"{floats[0].dtype} {floats[0].name!r}; promised none"
        )
    if floats and not rule.floats:
        return f"computes in floats: {floats[0].dtype} {floats[0].name!r}; promised integers"
    return ""

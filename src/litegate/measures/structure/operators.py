"""Find the operators of a graph that break a recipe's rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from litegate.measures.structure.allowed_types import OPERATOR_RULES, OperatorRule, Placement
from litegate.measures.structure.tensor_roles import float_operators, int16_operators
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
    int16_indices = int16_operators(graph, subgraph, recipe)
    borders, at_ports = _borders(subgraph, float_indices, int16_indices), _port_operators(subgraph)
    for_shapes = _converts_for_shapes(subgraph)
    for operator in subgraph.operators:
        if operator.index in float_indices:
            breach = _float_breach(subgraph, operator)
        elif operator.index in borders or operator.index in for_shapes:
            continue
        else:
            breach = _breach(subgraph, operator, rule, is_at_port=operator.index in at_ports)
        if breach:
            yield operator, breach


def operator_label(operator: Operator) -> str:
    """Return how messages name an operator: "operator 5 CONV_2D v3"."""
    return f"operator {operator.index} {operator.name} v{operator.version}"


def graph_prefix(subgraph: Subgraph) -> str:
    """Return the prefix that messages give tensors and operators outside the first subgraph."""
    return f"graph {subgraph.index}, " if subgraph.index else ""


def _breach(subgraph: Subgraph, operator: Operator, rule: OperatorRule, *, is_at_port: bool) -> str:
    match operator.name:
        case "SHAPE":
            return ""
        case "CUSTOM":
            return _custom_breach(operator)
        case "QUANTIZE" | "FAKE_QUANT":
            return _placement_breach(subgraph, operator, rule.quantize, is_at_port=is_at_port)
        case "DEQUANTIZE":
            return _placement_breach(subgraph, operator, rule.dequantize, is_at_port=is_at_port)
        case _:
            return _arithmetic_breach(subgraph, operator, rule)


def _custom_breach(operator: Operator) -> str:
    kind = "Flex" if operator.custom_code.startswith("Flex") else "custom"
    return f"is the {kind} operator {operator.custom_code}; expected only built-in operators"


def _tensors(subgraph: Subgraph, indices: tuple[int, ...]) -> Iterator[Tensor]:
    return (subgraph.tensors[index] for index in indices if index != ABSENT)


def _placement_breach(
    subgraph: Subgraph, operator: Operator, placement: Placement, *, is_at_port: bool
) -> str:
    if _is_allowed_at(subgraph, operator, placement, is_at_port=is_at_port):
        return ""
    source, result = (
        ", ".join(tensor.dtype for tensor in _tensors(subgraph, indices)) or "nothing"
        for indices in (operator.inputs, operator.outputs)
    )
    return f"turns {source} into {result}; expected {placement}"


def _is_allowed_at(
    subgraph: Subgraph, operator: Operator, placement: Placement, *, is_at_port: bool
) -> bool:
    match placement:
        case Placement.ANYWHERE:
            return True
        case Placement.CONSTANTS:
            return all(tensor.is_constant for tensor in _tensors(subgraph, operator.inputs))
        case Placement.PORTS:
            return is_at_port or _rescales(subgraph, operator)
        case Placement.NOWHERE:
            return False


def _port_operators(subgraph: Subgraph) -> frozenset[int]:
    """Return the indices of the operators that read an input or write an output of the model."""
    if not subgraph.is_entry:
        return frozenset()
    inputs, outputs = frozenset(subgraph.inputs), frozenset(subgraph.outputs)
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if inputs.intersection(operator.inputs) or outputs.intersection(operator.outputs)
    )


def _borders(
    subgraph: Subgraph, float_indices: frozenset[int], int16_indices: frozenset[int]
) -> frozenset[int]:
    """Return the operators that convert only for layers that are declared float or int16."""
    if not float_indices and not int16_indices:
        return frozenset()
    readers, writers = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
    for operator in subgraph.operators:
        for index in operator.inputs:
            readers[index].add(operator.index)
        for index in operator.outputs:
            writers[index].add(operator.index)
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if _converts_for(float_indices, operator, readers, writers)
        or _widens_for(int16_indices, subgraph, operator, readers, writers)
    )


def _converts_for_shapes(subgraph: Subgraph) -> frozenset[int]:
    """Return the operators DEQUANTIZE whose result SHAPE alone reads, so that no value matters.

    litert-quantizer 0.11.0 puts one before each SHAPE of an integer tensor.
    """
    readers = defaultdict[int, set[str]](set)
    for operator in subgraph.operators:
        for index in operator.inputs:
            readers[index].add(operator.name)
    outputs = frozenset(subgraph.outputs)
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if operator.name == "DEQUANTIZE"
        and all(readers[index] == {"SHAPE"} and index not in outputs for index in operator.outputs)
    )


def _converts_for(
    float_indices: frozenset[int],
    operator: Operator,
    readers: Mapping[int, set[int]],
    writers: Mapping[int, set[int]],
) -> bool:
    if operator.name not in ("DEQUANTIZE", "QUANTIZE"):
        return False
    into_floats = operator.name == "DEQUANTIZE"
    neighbours, tensors = (readers, operator.outputs) if into_floats else (writers, operator.inputs)
    indices = {n for tensor in tensors if tensor != ABSENT for n in neighbours.get(tensor, ())}
    return bool(indices) and indices <= float_indices


def _widens_for(
    int16_indices: frozenset[int],
    subgraph: Subgraph,
    operator: Operator,
    readers: Mapping[int, set[int]],
    writers: Mapping[int, set[int]],
) -> bool:
    """Return True if an operator only turns integers into the int16 of these layers, or back."""
    if operator.name != "QUANTIZE" or not int16_indices:
        return False
    types = {tensor.dtype for tensor in _tensors(subgraph, operator.inputs + operator.outputs)}
    after = {n for tensor in operator.outputs for n in readers.get(tensor, ())}
    before = {n for tensor in operator.inputs for n in writers.get(tensor, ())}
    is_beside = any(indices and indices <= int16_indices for indices in (after, before))
    return types == {"int8", "int16"} and is_beside


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
            f"{floats[0].dtype} {floats[0].name!r}; expected none"
        )
    if floats and not rule.floats:
        return f"computes in floats: {floats[0].dtype} {floats[0].name!r}; expected integers"
    return ""

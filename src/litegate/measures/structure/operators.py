"""Which operators of a graph break the promise of a recipe, each by index, name and version."""

from __future__ import annotations

from collections.abc import Iterator

from litegate.measures.structure.recipe_rules import OPERATORS, OperatorPromise, Place
from litegate.measures.structure.tensor_roles import float_operators
from litegate.spec import Recipe
from litegate.tflite.graph import ABSENT, FLOATS, Graph, Operator, Subgraph, Tensor


def operator_breaches(graph: Graph, recipe: Recipe) -> tuple[str, ...]:
    """A sentence for each operator of a graph that breaks the recipe's promise."""
    return tuple(
        f"{part(subgraph)}{named(operator)} {breach}"
        for subgraph in graph.subgraphs
        for operator, breach in _broken(graph, subgraph, recipe)
    )


def _broken(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> Iterator[tuple[Operator, str]]:
    promise, floats = OPERATORS[recipe.kind], float_operators(graph, subgraph, recipe)
    for operator in subgraph.operators:
        if operator.index in floats:
            breach = _float_breach(subgraph, operator)
        elif _leads(subgraph, operator, floats):
            continue
        else:
            breach = _breach(subgraph, operator, promise)
        if breach:
            yield operator, breach


def named(operator: Operator) -> str:
    """An operator in words: "operator 5 CONV_2D v3"."""
    return f"operator {operator.index} {operator.name} v{operator.version}"


def part(subgraph: Subgraph) -> str:
    """What precedes the name of a tensor or operator that is not in the main subgraph."""
    return f"graph {subgraph.index}, " if subgraph.index else ""


def _breach(subgraph: Subgraph, operator: Operator, promise: OperatorPromise) -> str:
    match operator.name:
        case "SHAPE":
            return ""
        case "CUSTOM":
            return _custom(operator)
        case "QUANTIZE" | "FAKE_QUANT":
            return _misplaced(subgraph, operator, promise.quantize)
        case "DEQUANTIZE":
            return _misplaced(subgraph, operator, promise.dequantize)
        case _:
            return _computes(subgraph, operator, promise)


def _custom(operator: Operator) -> str:
    kind = "Flex" if operator.custom_code.startswith("Flex") else "custom"
    return f"is the {kind} operator {operator.custom_code}; promised built-in ones alone"


def _tensors(subgraph: Subgraph, indices: tuple[int, ...]) -> Iterator[Tensor]:
    return (subgraph.tensors[index] for index in indices if index != ABSENT)


def _misplaced(subgraph: Subgraph, operator: Operator, place: Place) -> str:
    if _stands(subgraph, operator, place):
        return ""
    source, result = (
        ", ".join(tensor.dtype for tensor in _tensors(subgraph, indices)) or "nothing"
        for indices in (operator.inputs, operator.outputs)
    )
    return f"turns {source} into {result}; promised {place}"


def _stands(subgraph: Subgraph, operator: Operator, place: Place) -> bool:
    match place:
        case Place.ANYWHERE:
            return True
        case Place.CONSTANTS:
            return all(tensor.is_constant for tensor in _tensors(subgraph, operator.inputs))
        case Place.PORTS:
            read = set(operator.inputs) & set(subgraph.inputs)
            written = set(operator.outputs) & set(subgraph.outputs)
            ports = subgraph.is_entry and bool(read or written)
            return ports or _rescales(subgraph, operator)
        case Place.NOWHERE:
            return False


def _leads(subgraph: Subgraph, operator: Operator, floats: frozenset[int]) -> bool:
    """Whether it turns integers to floats for layers declared float alone, or back after them."""
    if operator.name == "DEQUANTIZE":
        read = {one.index for one in subgraph.operators if {*one.inputs} & {*operator.outputs}}
        return bool(read) and read <= floats
    written = {one.index for one in subgraph.operators if {*one.outputs} & {*operator.inputs}}
    return operator.name == "QUANTIZE" and bool(written) and written <= floats


def _float_breach(subgraph: Subgraph, operator: Operator) -> str:
    """What is wrong with an operator of a layer declared float; empty where nothing is."""
    if operator.name == "CUSTOM":
        return _custom(operator)
    near = _tensors(subgraph, operator.inputs + operator.outputs)
    found = next((one for one in near if one.scales), None)
    if found is None or operator.name == "SHAPE":
        return ""
    return f"computes in integers: {found.dtype} {found.name!r}; its layer is declared float"


def _rescales(subgraph: Subgraph, operator: Operator) -> bool:
    """Whether a QUANTIZE goes from an integer type to itself, as before a CONCATENATION of QAT."""
    types = {tensor.dtype for tensor in _tensors(subgraph, operator.inputs + operator.outputs)}
    return len(types) == 1 and not types & FLOATS


def _computes(subgraph: Subgraph, operator: Operator, promise: OperatorPromise) -> str:
    read = list(_tensors(subgraph, operator.inputs))
    floats = [t for t in (*read, *_tensors(subgraph, operator.outputs)) if t.dtype in FLOATS]
    packed = [t for t in read if t.scales and t.dtype not in FLOATS]
    if floats and packed and not promise.hybrid:
        return (
            f"is a hybrid kernel: {packed[0].dtype} {packed[0].name!r} beside "
            f"{floats[0].dtype} {floats[0].name!r}; promised none"
        )
    if floats and not promise.floats:
        return f"computes in floats: {floats[0].dtype} {floats[0].name!r}; promised integers"
    return ""

"""Compare a file's operators with its base's: lost integer types, added and removed operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from litegate.measures.regression.graph_matching import (
    Matching,
    PlacedOperator,
    PlacedTensor,
    match_operators,
    match_tensors,
    operators,
    tensors,
)
from litegate.measures.structure.operators import operator_label
from litegate.tflite.graph import FLOATS, Graph

NO_ARITHMETIC = frozenset({"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT", "SHAPE"})
"""Operators that convert types, or read only a tensor's shape."""


def checked_count(base: Graph) -> int:
    """Count the tensors and operators of the base that could lose their integer type."""
    return len(tensors(base)) + len(_arithmetic(base))


def lost_integer_types(base: Graph, candidate: Graph) -> tuple[str, ...]:
    """Return a sentence for each tensor and operator that is no longer integer."""
    return (
        *_lost_tensors(match_tensors(base, candidate)),
        *_lost_operators(match_operators(_arithmetic(base), _arithmetic(candidate), kinds=False)),
    )


def _lost_tensors(matching: Matching[PlacedTensor]) -> Iterator[str]:
    for before, after in sorted(matching.pairs, key=_position):
        old_tensor, new_tensor = before.tensor, after.tensor
        if old_tensor.dtype not in FLOATS and new_tensor.dtype in FLOATS:
            renamed = old_tensor.name != new_tensor.name
            former_name = f" ({old_tensor.name!r} in the base)" if renamed else ""
            yield (
                f"{_graph_prefix(after.graph)}tensor {new_tensor.index} {new_tensor.name!r}"
                f"{former_name}, {after.role}, was {old_tensor.dtype} and is {new_tensor.dtype}"
            )


def _position(pair: tuple[PlacedTensor, PlacedTensor]) -> tuple[int, int]:
    return pair[1].graph, pair[1].tensor.index


def _arithmetic(graph: Graph) -> tuple[PlacedOperator, ...]:
    return tuple(placed for placed in operators(graph) if placed.operator.name not in NO_ARITHMETIC)


def _lost_operators(matching: Matching[PlacedOperator]) -> Iterator[str]:
    for before, after in matching.pairs:
        arithmetic = float_arithmetic(after)
        if arithmetic and not float_arithmetic(before):
            former_kind = "" if before.kind == after.kind else f", {before.kind} in the base,"
            label = f"{_graph_prefix(after.graph)}{operator_label(after.operator)}{former_kind}"
            yield f"{label} computed in integers and now {arithmetic}"


def float_arithmetic(placed: PlacedOperator) -> str:
    """Return a phrase that says how an operator computes in floats; empty if it does not."""
    neighbours = (*placed.reads, *placed.writes)
    if all(tensor.dtype not in FLOATS for tensor in neighbours):
        return ""
    has_integer_weights = any(
        tensor.is_quantized and tensor.dtype not in FLOATS for tensor in placed.reads
    )
    return "is a hybrid kernel" if has_integer_weights else "computes in floats"


def _graph_prefix(graph: int) -> str:
    return f"graph {graph}, " if graph else ""


def changed_count(base: Graph, candidate: Graph) -> int:
    """Count added and removed operators; replacing one by another kind counts as two."""
    before, after = _kind_counts(base), _kind_counts(candidate)
    return ((before - after) + (after - before)).total()


def change_lines(base: Graph, candidate: Graph) -> tuple[str, ...]:
    """Return a line for each kind of operator whose number changed, sorted by kind."""
    before, after = _kind_counts(base), _kind_counts(candidate)
    return tuple(
        _change_line(kind, before[kind], after[kind])
        for kind in sorted(before | after)
        if before[kind] != after[kind]
    )


def _kind_counts(graph: Graph) -> Counter[str]:
    return Counter(placed.kind for placed in operators(graph))


def _change_line(kind: str, before: int, after: int) -> str:
    verb = "came" if after > before else "went"
    return f"{abs(after - before)} {kind} {verb} ({before} in the base, {after} now)"

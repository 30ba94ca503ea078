"""What a file lost of its base: integer types, and operators that came or went."""

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
"""Operators that stand between the types, or read a tensor's shape alone."""


def looked_at(base: Graph) -> int:
    """How many tensors and operators of the base could lose their integer type."""
    return len(tensors(base)) + len(_arithmetic(base))


def lost(base: Graph, candidate: Graph) -> tuple[str, ...]:
    """A sentence for each tensor and operator that was integer in the base and no longer is."""
    return (
        *_lost_tensors(match_tensors(base, candidate)),
        *_lost_operators(match_operators(_arithmetic(base), _arithmetic(candidate), kinds=False)),
    )


def _lost_tensors(matching: Matching[PlacedTensor]) -> Iterator[str]:
    for before, after in sorted(matching.pairs, key=_place):
        was, now = before.tensor, after.tensor
        if was.dtype not in FLOATS and now.dtype in FLOATS:
            other = "" if was.name == now.name else f" ({was.name!r} in the base)"
            yield (
                f"{_part(after.graph)}tensor {now.index} {now.name!r}{other}, {after.role}, "
                f"was {was.dtype} and is {now.dtype}"
            )


def _place(pair: tuple[PlacedTensor, PlacedTensor]) -> tuple[int, int]:
    return pair[1].graph, pair[1].tensor.index


def _arithmetic(graph: Graph) -> tuple[PlacedOperator, ...]:
    return tuple(one for one in operators(graph) if one.operator.name not in NO_ARITHMETIC)


def _lost_operators(matching: Matching[PlacedOperator]) -> Iterator[str]:
    for before, after in matching.pairs:
        found = floating(after)
        if found and not floating(before):
            other = "" if before.kind == after.kind else f", {before.kind} in the base,"
            whose = f"{_part(after.graph)}{operator_label(after.operator)}{other}"
            yield f"{whose} computed in integers and now {found}"


def floating(one: PlacedOperator) -> str:
    """How an operator computes where it is not in integers alone; empty where it is."""
    around = (*one.reads, *one.writes)
    if all(tensor.dtype not in FLOATS for tensor in around):
        return ""
    packed = any(tensor.scales and tensor.dtype not in FLOATS for tensor in one.reads)
    return "is a hybrid kernel" if packed else "computes in floats"


def _part(graph: int) -> str:
    return f"graph {graph}, " if graph else ""


def changed(base: Graph, candidate: Graph) -> int:
    """How many operators came or went; one that is replaced by another kind is two."""
    before, after = _kinds(base), _kinds(candidate)
    return ((before - after) + (after - before)).total()


def changes(base: Graph, candidate: Graph) -> tuple[str, ...]:
    """A line for each kind of operator whose number changed, in the order of the alphabet."""
    before, after = _kinds(base), _kinds(candidate)
    return tuple(
        _change(kind, before[kind], after[kind])
        for kind in sorted(before | after)
        if before[kind] != after[kind]
    )


def _kinds(graph: Graph) -> Counter[str]:
    return Counter(one.kind for one in operators(graph))


def _change(kind: str, before: int, after: int) -> str:
    verb = "came" if after > before else "went"
    return f"{abs(after - before)} {kind} {verb} ({before} in the base, {after} now)"

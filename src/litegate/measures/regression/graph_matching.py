"""Match the tensors and operators of two files: by name, then by role and kind.

A converter's names contain layer names and counters, so a small edit renames many tensors. A tensor
without a namesake is matched, in file order, with one that serves the same kind of operator.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, final

from litegate.measures.structure.tensor_roles import Role, roles
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor

Item = TypeVar("Item")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(Generic[Item]):
    """The matched items of two files, and those without a counterpart."""

    pairs: tuple[tuple[Item, Item], ...]
    removed: tuple[Item, ...]
    """Items of the first file without a counterpart."""
    added: tuple[Item, ...]
    """Items of the second file without a counterpart."""


def match(
    before: Sequence[Item], after: Sequence[Item], keys: Sequence[Callable[[Item], Hashable]]
) -> Matching[Item]:
    """Pair items with equal keys in order; later keys apply to what is still unmatched."""
    unmatched, candidates = list(before), dict(enumerate(after))
    pairs: list[tuple[Item, Item]] = []
    for key in keys:
        waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
        for number, item in candidates.items():
            waiting[key(item)].append(number)
        remaining = []
        for item in unmatched:
            if numbers := waiting[key(item)]:
                pairs.append((item, candidates.pop(numbers.popleft())))
            else:
                remaining.append(item)
        unmatched = remaining
    return Matching(pairs=tuple(pairs), removed=tuple(unmatched), added=tuple(candidates.values()))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTensor:
    """A tensor with its subgraph, role and neighbouring operator."""

    graph: int
    """The subgraph's index."""
    tensor: Tensor
    role: Role
    operator: str
    """The kind of its writer, else of its first reader, else empty."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOperator:
    """An operator with its subgraph and its tensors."""

    graph: int
    """The subgraph's index."""
    operator: Operator
    kind: str
    """The name, with the custom code of a custom operator."""
    reads: tuple[Tensor, ...]
    writes: tuple[Tensor, ...]


def tensors(graph: Graph) -> tuple[PlacedTensor, ...]:
    """Return every tensor of a file, in file order."""
    return tuple(placed for subgraph in graph.subgraphs for placed in _placed_tensors(subgraph))


def _placed_tensors(subgraph: Subgraph) -> Iterator[PlacedTensor]:
    writers = {i: op.name for op in reversed(subgraph.operators) for i in op.outputs}
    readers = {i: op.name for op in reversed(subgraph.operators) for i in op.inputs}
    for tensor, role in zip(subgraph.tensors, roles(subgraph), strict=True):
        neighbour = writers.get(tensor.index) or readers.get(tensor.index, "")
        yield PlacedTensor(graph=subgraph.index, tensor=tensor, role=role, operator=neighbour)


def operators(graph: Graph) -> tuple[PlacedOperator, ...]:
    """Return every operator of a file, in file order."""
    return tuple(
        PlacedOperator(
            graph=subgraph.index,
            operator=operator,
            kind=f"{operator.name} {operator.custom_code}".rstrip(),
            reads=_tensors_at(subgraph, operator.inputs),
            writes=_tensors_at(subgraph, operator.outputs),
        )
        for subgraph in graph.subgraphs
        for operator in subgraph.operators
    )


def _tensors_at(subgraph: Subgraph, indices: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(subgraph.tensors[index] for index in indices if index != ABSENT)


def match_tensors(before: Graph, after: Graph) -> Matching[PlacedTensor]:
    """Match by name and role; then by role, neighbouring operator and shape; then without shape."""
    return match(
        tensors(before),
        tensors(after),
        (
            lambda placed: (placed.graph, placed.role, placed.tensor.name),
            lambda placed: (
                placed.graph,
                placed.role,
                placed.operator,
                placed.tensor.shape_signature,
            ),
            lambda placed: (placed.graph, placed.role, placed.operator),
        ),
    )


def match_operators(
    before: Sequence[PlacedOperator], after: Sequence[PlacedOperator], *, kinds: bool = True
) -> Matching[PlacedOperator]:
    """Match by kind and output names, then by kind and output shapes, then by kind alone.

    Unless `kinds`, finally match operators of different kinds by their output shapes.
    """
    keys: list[Callable[[PlacedOperator], Hashable]] = [
        lambda placed: (placed.graph, placed.kind, tuple(tensor.name for tensor in placed.writes)),
        lambda placed: (placed.graph, placed.kind, _output_shapes(placed)),
        lambda placed: (placed.graph, placed.kind),
    ]
    if not kinds:
        keys.append(lambda placed: (placed.graph, _output_shapes(placed)))
    return match(before, after, keys)


def _output_shapes(placed: PlacedOperator) -> tuple[tuple[int, ...], ...]:
    return tuple(tensor.shape_signature for tensor in placed.writes)

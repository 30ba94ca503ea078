"""Which tensor or operator of one file is which of another: by name, then by what it is for.

A converter's names carry layer names and counters, so an honest edit renames many of them. What
has no namesake is matched, in the order of the file, with what serves the same kind of operator.
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
    """What of one file is what of another."""

    pairs: tuple[tuple[Item, Item], ...]
    went: tuple[Item, ...]
    """Of the first file, without a counterpart."""
    came: tuple[Item, ...]
    """Of the second file, without a counterpart."""


def match(
    before: Sequence[Item], after: Sequence[Item], keys: Sequence[Callable[[Item], Hashable]]
) -> Matching[Item]:
    """Pair items of equal keys in their order; a later key is for what the earlier ones left."""
    left, right = list(before), dict(enumerate(after))
    pairs: list[tuple[Item, Item]] = []
    for key in keys:
        waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
        for number, item in right.items():
            waiting[key(item)].append(number)
        rest = []
        for item in left:
            if same := waiting[key(item)]:
                pairs.append((item, right.pop(same.popleft())))
            else:
                rest.append(item)
        left = rest
    return Matching(pairs=tuple(pairs), went=tuple(left), came=tuple(right.values()))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTensor:
    """A tensor and what it is for."""

    graph: int
    """The subgraph's index."""
    tensor: Tensor
    role: Role
    operator: str
    """The kind of operator that writes it, or that reads it first where none does; may be empty."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOperator:
    """An operator and the tensors around it."""

    graph: int
    """The subgraph's index."""
    operator: Operator
    kind: str
    """Its name, and the custom code of a custom one."""
    reads: tuple[Tensor, ...]
    writes: tuple[Tensor, ...]


def tensors(graph: Graph) -> tuple[PlacedTensor, ...]:
    """Every tensor of a file, in its order."""
    return tuple(each for subgraph in graph.subgraphs for each in _tensors(subgraph))


def _tensors(subgraph: Subgraph) -> Iterator[PlacedTensor]:
    writers = {i: op.name for op in reversed(subgraph.operators) for i in op.outputs}
    readers = {i: op.name for op in reversed(subgraph.operators) for i in op.inputs}
    for tensor, role in zip(subgraph.tensors, roles(subgraph), strict=True):
        near = writers.get(tensor.index) or readers.get(tensor.index, "")
        yield PlacedTensor(graph=subgraph.index, tensor=tensor, role=role, operator=near)


def operators(graph: Graph) -> tuple[PlacedOperator, ...]:
    """Every operator of a file, in its order."""
    return tuple(
        PlacedOperator(
            graph=subgraph.index,
            operator=operator,
            kind=f"{operator.name} {operator.custom_code}".rstrip(),
            reads=_at(subgraph, operator.inputs),
            writes=_at(subgraph, operator.outputs),
        )
        for subgraph in graph.subgraphs
        for operator in subgraph.operators
    )


def _at(subgraph: Subgraph, indices: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(subgraph.tensors[index] for index in indices if index != ABSENT)


def match_tensors(before: Graph, after: Graph) -> Matching[PlacedTensor]:
    """Match by name and role; then by role, neighbouring operator and shape; then without shape."""
    return match(
        tensors(before),
        tensors(after),
        (
            lambda one: (one.graph, one.role, one.tensor.name),
            lambda one: (one.graph, one.role, one.operator, one.tensor.shape_signature),
            lambda one: (one.graph, one.role, one.operator),
        ),
    )


def match_operators(
    before: Sequence[PlacedOperator], after: Sequence[PlacedOperator], *, kinds: bool = True
) -> Matching[PlacedOperator]:
    """Match by kind and what is written, by name and then by shape; then by kind alone.

    Without `kinds`, operators of another kind that write the same shape come last.
    """
    by_kind: list[Callable[[PlacedOperator], Hashable]] = [
        lambda one: (one.graph, one.kind, tuple(tensor.name for tensor in one.writes)),
        lambda one: (one.graph, one.kind, _shapes(one)),
        lambda one: (one.graph, one.kind),
    ]
    return match(before, after, by_kind if kinds else [*by_kind, lambda o: (o.graph, _shapes(o))])


def _shapes(one: PlacedOperator) -> tuple[tuple[int, ...], ...]:
    return tuple(tensor.shape_signature for tensor in one.writes)

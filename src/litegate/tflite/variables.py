"""Find the variables of a file: the values that persist from one invocation to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import final

from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor, bits

User = tuple[int, Operator]
"""An operator with the index of its graph."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value that persists from one invocation to the next, and its users."""

    name: str
    """The tensor's name, or "container/name" of a resource."""
    values: Tensor | None
    """The variable tensor, or a tensor of a resource's values, the largest; None if the file
    neither reads nor assigns them."""
    is_resource: bool
    """Operators refer to it by handles, which a VAR_HANDLE gives them."""
    readers: tuple[User, ...] = ()
    """The operators that read it."""
    writers: tuple[User, ...] = ()
    """The operators that assign it. A recurrent layer updates its state itself, as a reader."""
    initializers: tuple[User, ...] = ()
    """The operators that give it its first value, such as those in the graph of a CALL_ONCE."""
    starts_at_zero: bool = True
    """No initializer gives it another first value than zero, which is its zero point."""

    @property
    def memory(self) -> int | None:
        """Bytes of its values; None if they are not known."""
        return self.values.memory if self.values else None


def variables(graph: Graph) -> tuple[Variable, ...]:
    """Return the variables of all graphs of a file: variable tensors, then resources."""
    tensors = (_variable_tensors(graph, subgraph) for subgraph in graph.subgraphs)
    return (*chain.from_iterable(tensors), *_resources(graph))


def _variable_tensors(graph: Graph, subgraph: Subgraph) -> Iterator[Variable]:
    tensors = {tensor.index: tensor for tensor in subgraph.tensors if tensor.is_variable}
    readers: dict[int, list[User]] = {index: [] for index in tensors}
    initializers: dict[int, list[User]] = {index: [] for index in tensors}
    for operator in subgraph.operators:
        for index in tensors.keys() & {*operator.inputs}:
            readers[index].append((subgraph.index, operator))
        # The parser accepts no other writer than a DEQUANTIZE of a constant.
        for index in tensors.keys() & {*operator.outputs}:
            initializers[index].append((subgraph.index, operator))
    for index, tensor in tensors.items():
        firsts = [subgraph.tensors[n] for _, op in initializers[index] for n in op.inputs]
        yield Variable(
            name=tensor.name,
            values=tensor,
            is_resource=False,
            readers=tuple(readers[index]),
            initializers=tuple(initializers[index]),
            starts_at_zero=all(_is_zero(graph, first) for first in firsts),
        )


def handles(subgraph: Subgraph) -> dict[int, str]:
    """Return the resource of each handle, by the index of the handle's tensor."""
    return {
        index: operator.variable
        for operator in subgraph.operators
        if operator.name == "VAR_HANDLE"
        for index in operator.outputs
    }


def _resources(graph: Graph) -> Iterator[Variable]:
    users = _resource_users(graph)
    run_once = {
        operator.option("init_graph", 0)
        for subgraph in graph.subgraphs
        for operator in subgraph.operators
        if operator.name == "CALL_ONCE"
    }
    for name in sorted(users):
        assigners = [user for user in users[name] if user[1].name == "ASSIGN_VARIABLE"]
        initializers = tuple(user for user in assigners if user[0] in run_once)
        values = [tensor for user in users[name] if (tensor := _values(graph, *user))]
        firsts = [_values(graph, *user) for user in initializers]
        yield Variable(
            name=name.removeprefix("/"),
            values=max(values, key=lambda tensor: tensor.memory or 0, default=None),
            is_resource=True,
            readers=tuple(user for user in users[name] if user[1].name == "READ_VARIABLE"),
            writers=tuple(user for user in assigners if user[0] not in run_once),
            initializers=initializers,
            starts_at_zero=all(_is_zero(graph, first) for first in firsts),
        )


def _resource_users(graph: Graph) -> dict[str, list[User]]:
    """Return the operators that read or assign each resource of a file, by its name."""
    users: defaultdict[str, list[User]] = defaultdict(list)
    for subgraph in graph.subgraphs:
        names = handles(subgraph)
        for name in names.values():
            users[name] += []
        for operator in subgraph.operators:
            if operator.name in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
                for name in filter(None, map(names.get, operator.inputs[:1])):
                    users[name].append((subgraph.index, operator))
    return users


def _values(graph: Graph, index: int, operator: Operator) -> Tensor | None:
    """Return the tensor that a READ_VARIABLE writes, or that an ASSIGN_VARIABLE reads."""
    operands = operator.outputs if operator.name == "READ_VARIABLE" else operator.inputs[1:]
    if not operands or operands[0] == ABSENT:
        return None
    return graph.subgraphs[index].tensors[operands[0]]


def _is_zero(graph: Graph, tensor: Tensor | None) -> bool:
    """Return True if a tensor is a constant whose real values are all 0."""
    if tensor is None or not tensor.is_constant:
        return False
    data = graph.buffers[tensor.buffer].data
    width = bits(tensor.dtype) // 8
    zero_point = tensor.zero_points[0] if tensor.zero_points else 0
    zero = (zero_point % (1 << 8 * width)).to_bytes(width, "little")
    return width > 0 and bytes(data) == zero * (len(data) // width)


def is_stateful(graph: Graph) -> bool:
    """Return True if a file has variables, so that an answer depends on earlier samples."""
    return any(
        any(tensor.is_variable for tensor in subgraph.tensors)
        or any(operator.name == "VAR_HANDLE" for operator in subgraph.operators)
        for subgraph in graph.subgraphs
    )

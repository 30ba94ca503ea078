"""Measure the arena: the memory that the activations of one invocation need.

On TensorFlow Lite Micro it is what the interpreter records, else a plan. The plan follows its
planner, tensor lifetimes and alignment. The other data of its allocator (tensor structures, the
kernels' data and scratch buffers) depend on the runtime's version, the kernels and the processor,
and are left out; docs/reference/inspect.md lists the error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.measures.structure.operators import operator_label
from litegate.spec import Artifact
from litegate.spec.runtimes import TFLM
from litegate.tflite.graph import Graph, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse
from litegate.tflite.variables import handles

CONTROL_FLOW = frozenset({"IF", "STABLEHLO_WHILE", "WHILE"})
"""Operators that run other graphs, whose tensors would share the arena; these are not planned."""
MOST_TENSORS = 20_000
"""The most tensors that are planned: the time grows with the square of their number.

Networks for small devices have hundreds; a crafted file could keep the planner busy for hours."""

MOST_GRAPHS = 100
"""The most graphs that are planned, each run by a CALL_ONCE of another; networks have two.

A crafted file could have thousands, and the planner follows them by recursion."""

LARGEST_TENSOR = 1 << 40
"""The largest tensor that is planned, in bytes; no machine has more memory. Up to 20,000 of them
add up to less than 2^63, so that the planner's int64 cannot overflow."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaPlan:
    """The memory that the main graph needs, in bytes."""

    planned: int
    """The end of the planned activations, inputs and outputs included."""
    variables: int
    """Size of the tensors whose values persist from one invocation to the next."""
    least: int
    """The lower bound of any plan: what the operator with the highest need needs at once."""
    busiest: str
    """The label of that operator; empty if the inputs alone need most."""

    @property
    def arena(self) -> int:
        """The whole arena: planned memory and variables."""
        return self.planned + self.variables


def plan(graph: Graph, subject: str = "the model") -> ArenaPlan:
    """Plan the main graph at the shapes in the file (one sample if the batch is free).

    Graphs that a CALL_ONCE runs share the arena. Raises MeasurementError for other control flow,
    a graph that is called twice, a tensor of a type without a size, or too many tensors.
    """
    _check_plannable(graph, subject)
    schedule = _Schedule()
    schedule.run(graph, graph.main, "")
    blocks = list(schedule.blocks(graph))
    ends = (offset + block.size for offset, block in zip(place_blocks(blocks), blocks, strict=True))
    needs = _bytes_alive(blocks, len(schedule.labels))
    most = max(range(len(needs)), key=needs.__getitem__)
    return ArenaPlan(
        planned=max(ends, default=0),
        variables=sum(_variable_sizes(graph)),
        least=needs[most],
        busiest=schedule.labels[most],
    )


def _check_plannable(graph: Graph, subject: str) -> None:
    subgraphs = tuple(_run_subgraphs(graph))
    tensors = [tensor for subgraph in subgraphs for tensor in subgraph.tensors]
    calls = Counter(subgraph.index for subgraph in subgraphs)
    called = chain(
        (f"graph {index} is called more than once" for index in calls if calls[index] > 1),
        (f"{len(calls):,} graphs" for _ in subgraphs[MOST_GRAPHS : MOST_GRAPHS + 1]),
    )
    control_flow = (
        operator_label(operator)
        for subgraph in subgraphs
        for operator in subgraph.operators
        if operator.name in CONTROL_FLOW
    )
    unsized = (
        f"tensor {tensor.index} {tensor.name!r}, {tensor.dtype} of shape {tensor.shape}"
        for subgraph in subgraphs
        for pointers in (handles(subgraph),)
        for tensor in subgraph.tensors
        if tensor.index not in pointers
        if tensor.memory is None or tensor.memory > LARGEST_TENSOR
    )
    too_many = (f"{len(tensors):,} tensors" for _ in tensors[MOST_TENSORS : MOST_TENSORS + 1])
    if reason := next(chain(called, too_many, control_flow, unsized), None):
        raise MeasurementError(
            f"the arena of {subject} cannot be planned",
            expected=(
                f"no control flow, at most {MOST_TENSORS:,} tensors, each of a type with a size"
            ),
            got=reason,
            remedy="remove arena from the budget",
        )


def _run_subgraphs(graph: Graph) -> Iterator[Subgraph]:
    """Yield the main graph and those that a CALL_ONCE runs; one that is called again ends it."""
    pending, seen = [graph.main], set[int]()
    while pending:
        subgraph = pending.pop()
        yield subgraph
        if subgraph.index in seen:
            return
        seen.add(subgraph.index)
        called = (_called(graph, operator) for operator in subgraph.operators)
        pending += [subgraph for subgraph in called if subgraph]


def _called(graph: Graph, operator: Operator) -> Subgraph | None:
    """Return the graph that a CALL_ONCE runs; None for every other operator."""
    if operator.name != "CALL_ONCE":
        return None
    return graph.subgraphs[operator.option("init_graph", 0)]


def _memory(tensor: Tensor) -> int:
    return tensor.memory or 0


def _variable_sizes(graph: Graph) -> Iterator[int]:
    """Yield the bytes of each variable, aligned: state tensors, and what handles are assigned."""
    assigned = dict[str, int]()
    for subgraph in _run_subgraphs(graph):
        yield from (aligned(_memory(tensor)) for tensor in subgraph.tensors if tensor.is_variable)
        names = handles(subgraph)
        for operator in subgraph.operators:
            if operator.name == "ASSIGN_VARIABLE" and len(operator.inputs) > 1:
                handle, value = operator.inputs[:2]
                size = aligned(_memory(subgraph.tensors[value]))
                name = names.get(handle, "")
                assigned[name] = max(size, assigned.get(name, 0))
    yield from assigned.values()


class _Schedule:
    """The steps of an invocation, as tflite-micro's `AllocationInfoBuilder` counts them.

    Step 0 writes the inputs, every operator is a step, and so is the entry into a called graph.
    """

    def __init__(self) -> None:
        self.labels = list[str]()
        """The label of the operator of each step."""
        self._first = dict[tuple[int, int], int]()
        self._last = dict[tuple[int, int], int]()

    def run(self, graph: Graph, subgraph: Subgraph, label: str) -> None:
        """Count the steps of a subgraph, and mark when its tensors are written and last needed."""
        self.labels.append(label)
        self._mark(subgraph, written=subgraph.inputs, needed=subgraph.inputs)
        for operator in subgraph.operators:
            self.labels.append(operator_label(operator))
            self._mark(subgraph, written=operator.outputs)
            if called := _called(graph, operator):
                self.run(graph, called, operator_label(operator))
            self._mark(subgraph, needed=(*operator.inputs, *operator.outputs))
        self._mark(subgraph, written=subgraph.outputs, needed=subgraph.outputs)

    def _mark(
        self, subgraph: Subgraph, *, written: tuple[int, ...] = (), needed: tuple[int, ...] = ()
    ) -> None:
        step = len(self.labels) - 1
        for index in written:
            self._first.setdefault((subgraph.index, index), step)
        self._last.update(((subgraph.index, index), step) for index in needed)

    def blocks(self, graph: Graph) -> Iterator[Block]:
        """Yield a block for each tensor that is in the arena for a part of the invocation."""
        for subgraph in sorted(_run_subgraphs(graph), key=lambda subgraph: subgraph.index):
            # A handle points into the runtime's own data.
            pointers = handles(subgraph)
            for tensor in subgraph.tensors:
                stored = tensor.is_constant or tensor.is_variable or tensor.index in pointers
                if not stored and (size := aligned(_memory(tensor))):
                    place = subgraph.index, tensor.index
                    first, last = (steps.get(place, -1) for steps in (self._first, self._last))
                    yield Block(size=size, first=first, last=last)


def _bytes_alive(blocks: list[Block], steps: int) -> list[int]:
    """Return the bytes that are alive at each step."""
    deltas = [0] * (steps + 1)
    for block in blocks:
        deltas[max(block.first, 0)] += block.size
        deltas[max(block.last, 0) + 1] -= block.size
    return list(accumulate(deltas[:-1]))


def arena(artifact: Artifact) -> Measurement:
    """Measure the bytes that one invocation needs.

    On the runtime "tflm" all that its interpreter recorded; on any other the greedy plan of the
    activations alone. Raises ArtifactError if the file cannot be read, MeasurementError as `plan`
    does, and as `recorded_arena`.
    """
    if artifact.runtime == TFLM:
        # Late: the plan needs no runtime.
        from litegate.measures.structure.recorded_arena import recorded_arena

        return recorded_arena(artifact)
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    memory_plan = plan(graph, artifact.name)
    variables = (f"{memory_plan.variables:,} B of it variables",) if memory_plan.variables else ()
    return Measurement(
        name=Name.ARENA,
        subject=artifact.name,
        value=memory_plan.arena,
        unit=Unit.BYTES,
        n=len(graph.main.tensors),
        evidence=(
            f"{memory_plan.busiest or 'the input'} alone needs {memory_plan.least:,} B at once",
            *variables,
            "planned from the file, greedily by size, 16 bytes aligned, not recorded",
            "the runtime's own data come on top",
        ),
        artifacts=(artifact.sha256,),
    )


ALIGNMENT = 16
"""Bytes; `MicroArenaBufferAlignment` of tensorflow/lite/micro/micro_arena_constants.h."""

Numbers = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A buffer that is needed from one step to another, both inclusive."""

    size: int
    """Bytes, a multiple of `ALIGNMENT`."""
    first: int
    last: int


def aligned(size: int) -> int:
    """Round a size in bytes up to `ALIGNMENT`, where the next buffer may start."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place_blocks(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Return the offset of each block in bytes, placing the largest first in the lowest gap.

    Takes time proportional to the square of the number of blocks.
    """
    offsets = [0] * len(blocks)
    placed = np.empty((4, 0), dtype=np.int64)  # offset, end, first and last step, by offset
    # Equal sizes in reverse order, as tflite-micro's planner sorts them: it fills its list from the
    # end. The order decides where blocks lie, and so the size of the arena.
    for index in sorted(range(len(blocks)), key=lambda i: (-blocks[i].size, -i)):
        block = blocks[index]
        offset = _lowest_gap(placed, block)
        offsets[index] = offset
        column = np.array([[offset], [offset + block.size], [block.first], [block.last]])
        at = int(np.searchsorted(placed[0], offset, side="right"))
        placed = np.concatenate([placed[:, :at], column, placed[:, at:]], axis=1)
    return tuple(offsets)


def _lowest_gap(placed: Numbers, block: Block) -> int:
    alive = (placed[2] <= block.last) & (placed[3] >= block.first)
    starts, ends = placed[0][alive], placed[1][alive]
    floors = np.concatenate([[0], np.maximum.accumulate(ends)])
    fits = starts - floors[:-1] >= block.size
    return int(floors[int(fits.argmax()) if fits.any() else -1])

"""Estimate the arena: the memory that the activations of one invocation need.

The plan follows TensorFlow Lite Micro's planner, tensor lifetimes and alignment. The other data of
its allocator (tensor structures, the kernels' data and scratch buffers) depend on the runtime's
version, the kernels and the processor, and are left out; docs/inspect.md lists the error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.measures.structure.operators import operator_label
from litegate.spec import Artifact
from litegate.tflite.graph import ABSENT, Graph, Subgraph, Tensor
from litegate.tflite.parser import parse

CONTROL_FLOW = frozenset({"CALL_ONCE", "IF", "STABLEHLO_WHILE", "WHILE"})
"""Operators that run other graphs, whose tensors would share the arena; these are not planned."""
MOST_TENSORS = 20_000
"""The most tensors that are planned: the time grows with the square of their number.

Networks for small devices have hundreds; a crafted file could keep the planner busy for hours."""

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

    Raises MeasurementError for control flow, a tensor of a type without a size, or too many
    tensors.
    """
    main = graph.main
    _check_plannable(main, subject)
    blocks = list(_blocks(main))
    ends = (offset + block.size for offset, block in zip(place_blocks(blocks), blocks, strict=True))
    needs = _bytes_alive(main, blocks)
    most = max(range(len(needs)), key=needs.__getitem__)
    return ArenaPlan(
        planned=max(ends, default=0),
        variables=sum(aligned(_memory(tensor)) for tensor in main.tensors if tensor.is_variable),
        least=needs[most],
        busiest=operator_label(main.operators[most - 1]) if most else "",
    )


def _check_plannable(main: Subgraph, subject: str) -> None:
    control_flow = (
        operator_label(operator) for operator in main.operators if operator.name in CONTROL_FLOW
    )
    unsized = (
        f"tensor {tensor.index} {tensor.name!r}, {tensor.dtype} of shape {tensor.shape}"
        for tensor in main.tensors
        if tensor.memory is None or tensor.memory > LARGEST_TENSOR
    )
    too_many = (
        f"{len(main.tensors):,} tensors" for _ in main.tensors[MOST_TENSORS : MOST_TENSORS + 1]
    )
    if reason := next(chain(too_many, control_flow, unsized), None):
        raise MeasurementError(
            f"the arena of {subject} cannot be planned",
            expected=(
                f"no control flow, at most {MOST_TENSORS:,} tensors, each of a type with a size"
            ),
            got=reason,
            remedy="leave arena out of the budget",
        )


def _arena_tensors(main: Subgraph) -> Iterator[Tensor]:
    """Return the tensors that are in the arena for a part of the invocation only."""
    return (tensor for tensor in main.tensors if not tensor.is_constant and not tensor.is_variable)


def _memory(tensor: Tensor) -> int:
    return tensor.memory or 0


def _blocks(main: Subgraph) -> Iterator[Block]:
    """Yield a block for each arena tensor. Step 0 writes the inputs; outputs live to the end."""
    first_steps, last_steps = _lifetimes(main)
    for tensor in _arena_tensors(main):
        if size := aligned(_memory(tensor)):
            first = first_steps.get(tensor.index, -1)
            yield Block(size=size, first=first, last=last_steps.get(tensor.index, -1))


def _lifetimes(main: Subgraph) -> tuple[dict[int, int], dict[int, int]]:
    """Return the steps that first write and last need each tensor, by the tensor's index."""
    first_steps, last_steps = dict.fromkeys(main.inputs, 0), dict.fromkeys(main.inputs, 0)
    for step, operator in enumerate(main.operators, start=1):
        for index in operator.outputs:
            first_steps.setdefault(index, step)
        last_steps.update(dict.fromkeys((*operator.inputs, *operator.outputs), step))
    for index in main.outputs:
        first_steps.setdefault(index, len(main.operators))
        last_steps[index] = len(main.operators)
    last_steps.pop(ABSENT, None)
    return first_steps, last_steps


def _bytes_alive(main: Subgraph, blocks: list[Block]) -> list[int]:
    """Return the bytes that are alive at each step."""
    deltas = [0] * (len(main.operators) + 2)
    for block in blocks:
        deltas[max(block.first, 0)] += block.size
        deltas[max(block.last, 0) + 1] -= block.size
    needs, alive = [], 0
    for delta in deltas[:-1]:
        alive += delta
        needs.append(alive)
    return needs


def arena(artifact: Artifact) -> Measurement:
    """Measure the bytes that the activations of one invocation need, by the greedy plan.

    Raises ArtifactError if the file cannot be read, MeasurementError as `plan` does.
    """
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
            "planned greedily by size, 16 bytes aligned; the runtime's own data come on top",
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

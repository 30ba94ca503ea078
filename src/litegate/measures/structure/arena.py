"""Arena: the memory that the activations of one invocation need, by a plan made from the graph.

An estimate of the arena of TensorFlow Lite Micro: its planner, its lifetimes, its alignment. What
its allocator keeps besides (tensor structures, the kernels' own data and scratch buffers) depends
on the runtime's version, the kernels and the processor, and is left out; docs/inspect.md has the
error.
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
from litegate.measures.structure.operators import named
from litegate.spec import Artifact
from litegate.tflite.graph import ABSENT, Graph, Subgraph, Tensor
from litegate.tflite.reader import parse

CONTROL_FLOW = frozenset({"CALL_ONCE", "IF", "STABLEHLO_WHILE", "WHILE"})
"""Operators that run other graphs, whose tensors would have to be planned among these."""
MOST = 20_000
"""Tensors that are planned; the time grows with the square of their number."""

LARGEST = 1 << 40
"""Bytes of one tensor that are planned; no machine has more."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The memory of the main graph, in bytes."""

    planned: int
    """Where the plan of the activations ends; inputs and outputs are part of it."""
    variables: int
    """Tensors that keep their value from one invocation to the next."""
    least: int
    """What the busiest operator needs at once: no plan has less."""
    busiest: str
    """That operator, named; empty for a graph without operators."""

    @property
    def arena(self) -> int:
        """All of it."""
        return self.planned + self.variables


def plan(graph: Graph, subject: str = "the model") -> Plan:
    """Plan the main graph, at the shapes in the file (one sample where the batch is free).

    MeasurementError for control flow, a tensor of a type without a size, or too many tensors.
    """
    main = graph.main
    _check(main, subject)
    blocks = list(_blocks(main))
    ends = (offset + one.size for offset, one in zip(place(blocks), blocks, strict=True))
    needs = _needs(main, blocks)
    most = max(range(len(needs)), key=needs.__getitem__)
    return Plan(
        planned=max(ends, default=0),
        variables=sum(aligned(_memory(one)) for one in main.tensors if one.is_variable),
        least=needs[most],
        busiest=named(main.operators[most - 1]) if most else "",
    )


def _check(main: Subgraph, subject: str) -> None:
    jumps = (named(one) for one in main.operators if one.name in CONTROL_FLOW)
    odd = (
        f"tensor {one.index} {one.name!r}, {one.dtype} of shape {one.shape}"
        for one in main.tensors
        if one.memory is None or one.memory > LARGEST
    )
    many = (f"{len(main.tensors):,} tensors" for _ in main.tensors[MOST : MOST + 1])
    if found := next(chain(many, jumps, odd), None):
        raise MeasurementError(
            f"the arena of {subject} cannot be planned",
            expected=f"no control flow, at most {MOST:,} tensors, each of a type with a size",
            got=found,
            remedy="leave arena out of the budget",
        )


def _planned(main: Subgraph) -> Iterator[Tensor]:
    """Tensors that live in the arena and need no more than their lifetime there."""
    return (one for one in main.tensors if not one.is_constant and not one.is_variable)


def _memory(tensor: Tensor) -> int:
    return tensor.memory or 0


def _blocks(main: Subgraph) -> Iterator[Block]:
    """Steps: 0 is before the first operator, where inputs are written; outputs live to the end."""
    born, dies = _lifetimes(main)
    for one in _planned(main):
        if size := aligned(_memory(one)):
            yield Block(size=size, first=born.get(one.index, -1), last=dies.get(one.index, -1))


def _lifetimes(main: Subgraph) -> tuple[dict[int, int], dict[int, int]]:
    """The step that first writes each tensor, and the last that needs it, by the tensor's index."""
    born, dies = dict.fromkeys(main.inputs, 0), dict.fromkeys(main.inputs, 0)
    for step, operator in enumerate(main.operators, start=1):
        for index in operator.outputs:
            born.setdefault(index, step)
        dies.update(dict.fromkeys((*operator.inputs, *operator.outputs), step))
    for index in main.outputs:
        born.setdefault(index, len(main.operators))
        dies[index] = len(main.operators)
    dies.pop(ABSENT, None)
    return born, dies


def _needs(main: Subgraph, blocks: list[Block]) -> list[int]:
    """The bytes that are alive at each step."""
    changes = [0] * (len(main.operators) + 2)
    for one in blocks:
        changes[max(one.first, 0)] += one.size
        changes[max(one.last, 0) + 1] -= one.size
    needs, alive = [], 0
    for change in changes[:-1]:
        alive += change
        needs.append(alive)
    return needs


def arena(artifact: Artifact) -> Measurement:
    """Bytes of memory that the activations of one invocation need at once, by the greedy plan.

    ArtifactError where the file cannot be read; MeasurementError as `plan`.
    """
    graph = parse(artifact.tflite, subject=artifact.name, signature=artifact.signature)
    found = plan(graph, artifact.name)
    variables = (f"{found.variables:,} B of it variables",) if found.variables else ()
    return Measurement(
        name="arena",
        subject=artifact.name,
        value=found.arena,
        unit=Unit.BYTES,
        n=len(graph.main.tensors),
        evidence=(
            f"{found.busiest or 'the input'} alone needs {found.least:,} B at once",
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
    """A buffer that is needed from one step to another, both included."""

    size: int
    """Bytes, as they are placed."""
    first: int
    last: int


def aligned(size: int) -> int:
    """A size in bytes, rounded up to what the next buffer may start at."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Where each block starts, in bytes. Takes time in proportion to the square of their number."""
    offsets = [0] * len(blocks)
    placed = np.empty((4, 0), dtype=np.int64)  # offset, end, first and last step, by offset
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

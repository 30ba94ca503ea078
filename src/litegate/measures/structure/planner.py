"""A greedy plan of buffers in one block of memory, by size, as TensorFlow Lite Micro makes it.

The rule is that of `GreedyMemoryPlanner` (tensorflow/tflite-micro, tensorflow/lite/micro/
memory_planner/greedy_memory_planner.cc): the largest buffer first, each in the lowest gap between
the buffers that are alive at the same time. Of equal sizes the later one goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

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

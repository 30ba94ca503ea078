"""Count the values that a sparse tensor stores, and check the tables that locate them.

LiteRT follows these tables unchecked: an index out of range reads or writes outside its tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from litegate.tflite.bounded_reads import File, MalformedError, numbers, tables


def stored_count(schema: Any, file: File, what: str, shape: tuple[int, ...], raw: Any) -> int:
    """Return the number of values that the sparsity `raw` of a tensor of this shape locates.

    Raises MalformedError, naming `what`, for tables that contradict each other or the shape.
    """
    order, blocks = numbers(file, raw.TraversalOrderAsNumpy()), numbers(file, raw.BlockMapAsNumpy())
    levels = list(tables(file, raw.DimMetadataLength(), raw.DimMetadata))
    _check_order(what, len(shape), order, blocks, len(levels))
    sizes = [level.DenseSize() for level in levels]
    extents = _extents(what, shape, blocks, sizes[len(shape) :])
    count = 1
    for number, (level, dimension) in enumerate(zip(levels, order, strict=True)):
        at = f"level {number} of the sparsity of {what}"
        if level.Format() == schema.DimensionType.DENSE:
            if sizes[number] != extents[dimension]:
                raise MalformedError(f"{at} has {sizes[number]} of {extents[dimension]} elements")
            count *= sizes[number]
        elif level.Format() == schema.DimensionType.SPARSE_CSR and number < len(shape):
            segments, indices = _index_vectors(schema, file, at, level)
            count = _follow(at, count, segments, indices, extents[dimension])
        else:
            raise MalformedError(f"{at} is neither dense nor compressed sparse rows")
    return count


def _check_order(
    what: str, rank: int, order: tuple[int, ...], blocks: tuple[int, ...], levels: int
) -> None:
    """Raise MalformedError unless the dimensions are walked once each, those of blocks last.

    LiteRT's reader takes the blocks of a tensor in the order of its dimensions.
    """
    dimensions = range(rank + len(blocks))
    is_walk = sorted(order[:rank]) == [*range(rank)] and order[rank:] == tuple(dimensions[rank:])
    if not is_walk or levels != len(dimensions):
        raise MalformedError(f"the sparsity of {what} walks over {order}, in {levels} levels")
    if list(blocks) != sorted({*blocks} & {*range(rank)}):
        raise MalformedError(f"the sparsity of {what} has blocks along {blocks} of {rank}")


def _extents(
    what: str, shape: tuple[int, ...], blocks: tuple[int, ...], block_sizes: list[int]
) -> list[int]:
    """Return the size of each dimension, counted in blocks, followed by those of the blocks."""
    size_by_dimension = dict(zip(blocks, block_sizes, strict=True))
    sizes = [size_by_dimension.get(dimension, 1) for dimension in range(len(shape))]
    if any(size < 1 or whole % size for whole, size in zip(shape, sizes, strict=True)):
        raise MalformedError(f"the sparsity of {what} divides {shape} into blocks of {block_sizes}")
    return [*(whole // size for whole, size in zip(shape, sizes, strict=True)), *block_sizes]


def _index_vectors(schema: Any, file: File, at: str, level: Any) -> Iterator[tuple[int, ...]]:
    """Yield the segments and the indices of a level."""
    for kind, table in (
        (level.ArraySegmentsType(), level.ArraySegments()),
        (level.ArrayIndicesType(), level.ArrayIndices()),
    ):
        names = schema.SparseIndexVector
        known = {
            names.Int32Vector: schema.Int32Vector,
            names.Uint16Vector: schema.Uint16Vector,
            names.Uint8Vector: schema.Uint8Vector,
        }
        if kind not in known or table is None:
            raise MalformedError(f"{at} has no indices")
        vector = known[kind]()
        vector.Init(table.Bytes, table.Pos)
        yield numbers(file, vector.ValuesAsNumpy())


def _follow(
    at: str, count: int, segments: tuple[int, ...], indices: tuple[int, ...], extent: int
) -> int:
    """Return the number of elements that `count` segments select among `extent` each."""
    spans_all = segments[:1] == (0,) and segments[-1:] == (len(indices),)
    if len(segments) != count + 1 or not spans_all or any(a > b for a, b in pairwise(segments)):
        raise MalformedError(f"{at} does not divide its {len(indices)} indices into {count} rows")
    if not all(0 <= index < extent for index in indices):
        raise MalformedError(f"{at} has an index outside its {extent} elements")
    return len(indices)

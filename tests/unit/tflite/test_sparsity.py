"""Tables of a sparse tensor: read where they fit, refused where LiteRT would read past an end."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from litegate.core.errors import ArtifactError
from litegate.testing import edit
from litegate.tflite.editing.writer import ModelWriter
from litegate.tflite.parser import parse

DENSE, SPARSE = schema.DimensionType.DENSE, schema.DimensionType.SPARSE_CSR
VECTORS = {
    "Int32Vector": schema.Int32VectorT,
    "Uint16Vector": schema.Uint16VectorT,
    "Uint8Vector": schema.Uint8VectorT,
}


def dense(size):
    return schema.DimensionMetadataT(format=DENSE, denseSize=size)


def sparse(segments, indices, vector="Uint8Vector", size=0):
    kind = getattr(schema.SparseIndexVector, vector)
    return schema.DimensionMetadataT(
        format=SPARSE,
        denseSize=size,
        arraySegmentsType=kind,
        arraySegments=VECTORS[vector](segments),
        arrayIndicesType=kind,
        arrayIndices=VECTORS[vector](indices),
    )


def weights(levels, order=(0, 1, 2, 3), blocks=(0, 1), shape=(4, 6), stored=12, *, unpacked=True):
    """A file of one dense layer, whose weights have these tables and `stored` bytes."""
    writer = ModelWriter("one sparse layer")
    x = writer.computed("x", "float32", (1, 6))
    read = weight = writer.constant("weight", np.zeros(stored, np.int8))
    if unpacked:
        read = writer.operator("DENSIFY", 1, [weight], writer.computed("dense", "int8", (4, 6)))
    y = writer.operator("FULLY_CONNECTED", 1, [x, read], writer.computed("y", "float32", (1, 4)))

    def change(model):
        tensor = model.subgraphs[0].tensors[weight]
        tensor.shape, tensor.shapeSignature = list(shape), None
        tensor.sparsity = schema.SparsityParametersT(list(order), list(blocks), list(levels))

    return edit(writer.finish([x], [y]), change)


ROWS = sparse([0, 2, 3], [0, 1, 2])
"""Of two rows of three blocks: the first two of one, the last of the other."""
SQUARES = [dense(2), ROWS, dense(2), dense(2)]
"""Blocks of 2 x 2."""
PLAIN = {"order": (0, 1), "blocks": ()}


@pytest.mark.parametrize("vector", VECTORS)
def test_blocks_are_read(vector):
    rows = sparse([0, 2, 3], [0, 1, 2], vector)
    _, weight, *_ = parse(weights([dense(2), rows, dense(2), dense(2)])).main.tensors
    assert (weight.shape, weight.nbytes) == ((4, 6), 12)


@pytest.mark.parametrize(
    ("levels", "more"),
    [
        ([dense(4), sparse([0, 1, 1, 1, 3], [5, 0, 5])], PLAIN | {"stored": 3}),
        ([dense(6), sparse([0, 1, 1, 1, 1, 1, 2], [3, 0])], {"order": (1, 0), "stored": 2}),
        ([dense(4), dense(6)], PLAIN | {"stored": 24}),
        ([sparse([0, 2], [0, 3]), dense(6)], PLAIN | {"stored": 12}),
    ],
    ids=("rows", "columns", "all dense", "whole rows"),
)
def test_tables_that_fit_are_read(levels, more):
    parse(weights(levels, **PLAIN | more))


def replaced(level, number):
    return [*SQUARES[:number], level, *SQUARES[number + 1 :]]


@pytest.mark.parametrize(
    ("levels", "more", "reason"),
    [
        (SQUARES, {"stored": 11}, "has 11 bytes, but its shape needs 12"),
        (SQUARES, {"stored": 13}, "has 13 bytes, but its shape needs 12"),
        (SQUARES, {"shape": (4, 4)}, "has an index outside its 2 elements"),
        (SQUARES, {"shape": (6, 6)}, "level 0 of the sparsity of tensor 1 has 2 of 3 elements"),
        (SQUARES, {"shape": (4, 7)}, "divides"),
        (SQUARES, {"shape": (4, -6)}, "has the shape"),
        (SQUARES, {"order": (0, 1, 2)}, "walks over"),
        (SQUARES, {"order": (0, 1, 3, 2)}, "walks over"),
        (SQUARES, {"order": (0, 2, 1, 3)}, "walks over"),
        (SQUARES, {"order": (0, 0, 2, 3)}, "walks over"),
        (SQUARES, {"order": (0, 1, 2, 9)}, "walks over"),
        (SQUARES, {"order": (0, -1, 2, 3)}, "walks over"),
        (SQUARES, {"order": ()}, "walks over"),
        (SQUARES[:3], {}, "in 3 levels"),
        ([], {}, "in 0 levels"),
        (SQUARES, {"blocks": (1, 0)}, "has blocks along"),
        (SQUARES, {"blocks": (0, 2)}, "has blocks along"),
        (SQUARES, {"blocks": (-1, 1)}, "has blocks along"),
        (SQUARES, {"blocks": (1, 1)}, "has blocks along"),
        (replaced(dense(0), 2), {}, "divides"),
        (replaced(dense(-2), 2), {}, "divides"),
        (replaced(dense(3), 0), {}, "level 0 .* has 3 of 2 elements"),
        (replaced(sparse([0, 2, 4], [0, 1, 0, 1], size=2), 2), {}, "neither dense nor compressed"),
        (replaced(schema.DimensionMetadataT(format=7), 1), {}, "neither dense nor compressed"),
        (replaced(schema.DimensionMetadataT(format=SPARSE), 1), {}, "level 1 .* has no indices"),
        (replaced(sparse([0, 3], [0, 1, 2]), 1), {}, "its 3 indices into 2 rows"),
        (replaced(sparse([0, 2, 3, 3], [0, 1, 2]), 1), {}, "its 3 indices into 2 rows"),
        (replaced(sparse([1, 2, 3], [0, 1, 2]), 1), {}, "its 3 indices into 2 rows"),
        (replaced(sparse([0, 4, 3], [0, 1, 2]), 1), {}, "its 3 indices into 2 rows"),
        (replaced(sparse([0, 2, 4], [0, 1, 2]), 1), {}, "its 3 indices into 2 rows"),
        (replaced(sparse([], [0, 1, 2]), 1), {}, "its 3 indices into 2 rows"),
        (replaced(sparse([0, 2, 3], [0, 1, 3]), 1), {}, "index outside its 3 elements"),
        (replaced(sparse([0, 2, 3], [0, -1, 2], "Int32Vector"), 1), {}, "outside its 3 elements"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(levels, more, reason):
    with pytest.raises(ArtifactError, match=reason):
        parse(weights(levels, **more))


def test_a_layer_reads_sparse_weights_only_behind_a_densify():
    """XNNPACK takes them for dense ones, and reads past their end."""
    with pytest.raises(ArtifactError) as refused:
        parse(weights(SQUARES, unpacked=False))
    assert "operator 0, FULLY_CONNECTED, reads the sparse tensor 1 without" in refused.value.got

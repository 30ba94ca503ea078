"""Where a file's growth comes from: each part by name, and their sum to the byte."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from litegate.core.errors import ArtifactError
from litegate.measures.regression.byte_counts import DESCRIPTIONS, UNUSED_BUFFERS, count_bytes
from litegate.measures.regression.graph_matching import (
    match,
    match_operators,
    match_tensors,
    operators,
)
from litegate.measures.regression.size_diff import REST, size_changes
from litegate.spec import Kind
from litegate.testing import Draft, artifact, custom_operator, edit, float_layer, pad, tiny
from litegate.tflite.parser import parse

BASE = tiny()


def parts(candidate, base=BASE):
    """The parts by label."""
    return {part.label: part.bytes for part in size_changes(artifact(base), artifact(candidate))}


def widened(tflite, name="conv/weight"):
    """Twice the channels in one constant; the graph then computes nonsense, and is well-formed."""

    def change(model):
        draft = Draft(model)
        tensor = draft.tensor(name)
        values = np.concatenate([draft.values(tensor)] * 2)
        draft.store(tensor, values)
        tensor.shape = tensor.shapeSignature = list(values.shape)
        tensor.quantization.scale = list(tensor.quantization.scale) * 2
        tensor.quantization.zeroPoint = list(tensor.quantization.zeroPoint) * 2

    return edit(tflite, change)


def renamed(tflite, suffix="/renamed"):
    """Every tensor under another name."""

    def change(model):
        for tensor in model.subgraphs[0].tensors:
            tensor.name = tensor.name + suffix.encode()

    return edit(tflite, change)


def with_metadata(tflite, name, size):
    """The file with a metadata entry of so many bytes."""

    def change(model):
        model.buffers.append(schema.BufferT(data=np.zeros(size, np.uint8)))
        entry = schema.MetadataT(name=name, buffer=len(model.buffers) - 1)
        model.metadata = [*(model.metadata or []), entry]

    return edit(tflite, change)


def with_unread(tflite, size):
    """The file with a buffer that nothing refers to."""

    def change(model):
        model.buffers.append(schema.BufferT(data=np.zeros(size, np.uint8)))

    return edit(tflite, change)


FILES = {
    "base": BASE,
    "float32": tiny(Kind.FLOAT32),
    "float16": tiny(Kind.FLOAT16),
    "dynamic range": tiny(Kind.DYNAMIC_RANGE),
    "int16x8": tiny(Kind.INT16X8),
    "int4": tiny(Kind.WEIGHT_ONLY_WI4_AFP32),
    "blocks": tiny(Kind.DYNAMIC_WI4B32_AFP32),
    "uint8 ports": tiny(input_type="uint8", output_type="uint8"),
    "float layer": float_layer(BASE, "conv"),
    "custom operator": custom_operator(BASE, "conv", "FlexConv2D"),
    "padded": pad(BASE, 1001),
    "wider": widened(BASE),
    "renamed": renamed(BASE),
    "metadata": with_metadata(BASE, "notes", 100),
}


@pytest.mark.parametrize(("base", "candidate"), list(permutations(FILES, 2)))
def test_parts_add_up_to_the_whole_difference(base, candidate):
    """To the byte, between any two files, in either direction."""
    found = size_changes(artifact(FILES[base]), artifact(FILES[candidate]))
    assert sum(part.bytes for part in found) == len(FILES[candidate]) - len(FILES[base])
    assert all(part.bytes for part in found)


def test_the_largest_part_comes_first():
    """A reader who stops after one line has read what matters most."""
    found = size_changes(artifact(BASE), artifact(FILES["float32"]))
    sizes = [abs(part.bytes) for part in found]
    assert str(found[0]) == "tensor 'dense/weight' (int8 to float32) +3,072 B"
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.WEIGHT_ONLY_WI4_AFP32, "tensor 'dense/weight' (float32 to int4) -3,584 B"),
        (Kind.DYNAMIC_WI4B32_AFP32, "new tensor 'dense/weight_scales' +64 B"),
    ],
)
def test_packed_weights_and_scales_of_blocks_count_with_their_own_bytes(kind, expected):
    """1,024 weights of 4 bits are 512 bytes; 32 blocks have a float16 scale each."""
    found = size_changes(artifact(FILES["float32"]), artifact(tiny(kind)))
    assert expected in map(str, found)


def test_a_wider_layer_is_named_with_its_shapes():
    """Its weights account for exactly their bytes; four more scales and zero points for 48."""
    found = parts(FILES["wider"])
    assert found["tensor 'conv/weight' (4x3x3x1 to 8x3x3x1)"] == 36
    assert found[DESCRIPTIONS] == 48
    assert abs(found.get(REST, 0)) < 16


def test_new_and_gone_operators_are_counted():
    """Two operators more, and in the other direction two fewer."""
    there, back = parts(FILES["float layer"]), parts(BASE, FILES["float layer"])
    assert there["new operators (1 DEQUANTIZE, 1 QUANTIZE)"] == 72
    assert back["gone operators (1 DEQUANTIZE, 1 QUANTIZE)"] == -72


def test_another_name_costs_its_letters():
    """Eight letters for each of the tensors, and no tensor is called new or gone."""
    count = len(parse(BASE).main.tensors)
    found = parts(FILES["renamed"])
    assert found[DESCRIPTIONS] == 8 * count
    assert not any("new" in label or "gone" in label for label in found)


def test_metadata_is_named():
    """Its bytes are its own."""
    assert parts(FILES["metadata"])["metadata 'notes'"] == 100


def test_bytes_that_nothing_reads_are_told():
    """In a buffer, or after the model."""
    assert parts(with_unread(BASE, 500))[UNUSED_BUFFERS] == 500
    assert parts(FILES["padded"]) == {REST: 1001}


def test_a_constant_that_came_or_went_is_named():
    """A bias that an operator no longer has."""

    def change(model):
        draft = Draft(model)
        conv = draft.graph.operators[draft.writer("conv")]
        conv.inputs = [*conv.inputs[:2], -1]
        draft.tensor("conv/bias").buffer = 0

    without = edit(BASE, change)
    assert parts(without)["tensor 'conv/bias' gone"] == -16
    assert parts(BASE, without)["new tensor 'conv/bias'"] == 16


def test_a_shared_buffer_counts_once():
    """A second tensor with the same values is no growth of values."""

    def change(model):
        draft = Draft(model)
        draft.beside(draft.index("conv/weight"), "/twin")

    found = parts(edit(BASE, change))
    assert not any(label.startswith(("tensor", "new tensor")) for label in found)


def test_every_part_of_a_file_is_inside_it():
    """Values, operators and descriptions leave less than a quarter to structure."""
    found = count_bytes(artifact(BASE))
    known = sum(found.values.values()) + sum(found.operators.values()) + sum(found.totals.values())
    assert 0.75 * len(BASE) < known < len(BASE)


def test_a_file_that_cannot_be_read_is_an_error():
    """Half a file is no small file."""
    half = replace(artifact(BASE), tflite=BASE[: len(BASE) // 2])
    with pytest.raises(ArtifactError, match="tiny/int8_qat is not a valid"):
        size_changes(artifact(BASE), half)


def test_items_match_by_the_first_key_that_fits():
    """In their order; a later key is for what an earlier one left."""
    found = match(["a1", "b1", "b2", "c1"], ["b2", "b9", "a1", "d1"], (lambda s: s, lambda s: s[0]))
    assert found.pairs == (("a1", "a1"), ("b2", "b2"), ("b1", "b9"))
    assert (found.removed, found.added) == (("c1",), ("d1",))


def test_tensors_match_by_what_they_are_for_where_names_differ():
    """Every tensor finds its counterpart in a file whose names are all new."""
    found = match_tensors(parse(BASE), parse(FILES["renamed"]))
    assert not found.removed + found.added
    assert all(
        after.tensor.name == before.tensor.name + "/renamed" for before, after in found.pairs
    )


def test_an_operator_put_in_between_does_not_shift_the_others():
    """Each operator of the base finds the one that serves the same tensor."""
    before, after = (operators(parse(each)) for each in (BASE, FILES["float layer"]))
    found = match_operators(before, after)
    assert [one.kind for one in found.added] == ["DEQUANTIZE", "QUANTIZE"]
    assert all(one.kind == other.kind for one, other in found.pairs)
    assert not found.removed

"""Types of litert-quantizer's files: each kind has its own table, and what breaks it is named."""

from dataclasses import replace

import numpy as np
import pytest
from graphs import renamed

from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.tensors import tensor_breaches
from litegate.spec import Kind, Recipe
from litegate.spec.recipe import QUANTIZER_KINDS, default_port_type
from litegate.testing import Draft, edit, requantize, retype, tiny
from litegate.tflite.parser import parse

FLOAT = tiny(Kind.FLOAT32)
WI8, ONLY8, ONLY4, BLOCKS = (
    Kind.DYNAMIC_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI8_AFP32,
    Kind.WEIGHT_ONLY_WI4_AFP32,
    Kind.DYNAMIC_WI4B32_AFP32,
)
AI8, AI16 = Kind.STATIC_WI8_AI8, Kind.STATIC_WI8_AI16


def breaches(tflite, kind):
    """The sentences about tensors, and those about operators."""
    graph, recipe = parse(tflite), Recipe(name=kind.value, kind=kind)
    return tensor_breaches(graph, recipe), operator_breaches(graph, recipe)


@pytest.mark.parametrize("kind", sorted(QUANTIZER_KINDS))
def test_a_file_of_a_kind_keeps_its_table(kind):
    assert breaches(tiny(kind), kind) == ((), ())


@pytest.mark.parametrize("kind", sorted(QUANTIZER_KINDS))
@pytest.mark.parametrize("other", [Kind.FLOAT32, Kind.FLOAT16, *sorted(QUANTIZER_KINDS)])
def test_no_kind_passes_as_another(kind, other):
    if other is not kind:
        assert any(breaches(tiny(other), kind))


def test_a_float_layer_is_named_where_the_kind_quantizes_it():
    """A dense layer must have blocks; convolutions stay float."""
    (found,), operators = breaches(FLOAT, BLOCKS)
    assert "'dense/weight', weight of operator 6" in found
    assert found.endswith("is float32; expected int4")
    assert operators == ()
    tensors, _ = breaches(FLOAT, ONLY4)
    assert ["conv" in tensors[0], "dense" in tensors[1], len(tensors)] == [True, True, 2]
    assert len(breaches(FLOAT, WI8)[0]) == 3


def test_a_quantized_layer_is_named_where_the_kind_leaves_it_float():
    tensors, _ = breaches(tiny(WI8), BLOCKS)
    assert "'conv/weight'" in tensors[0]
    assert tensors[0].endswith("is int8; expected float32")


@pytest.mark.parametrize("kind", [AI8, AI16, WI8, ONLY8])
def test_each_channel_has_a_scale_of_its_own(kind):
    """Of dense layers, too, unlike int8_ptq."""
    merged = requantize(tiny(kind), "dense/weight", scales=[0.01])
    found = [it for it in breaches(merged, kind)[0] if "weight of" in it]
    assert "with one scale; expected one scale for each channel (dimension 0: 4)" in found[0]


@pytest.mark.parametrize(("adjoint", "broken"), [(0, 1), (1, 0)])
def test_columns_of_a_batch_matmul_have_a_scale_each(adjoint, broken):
    """They are dimension 0 of a second matrix that is transposed, and otherwise the last one."""
    graph = renamed(parse(tiny(WI8)), 6, "BATCH_MATMUL")
    product = replace(graph.main.operators[6], options=(("adj_y", adjoint),))
    operators = (*graph.main.operators[:6], product, *graph.main.operators[7:])
    main = replace(graph.main, operators=operators)
    recipe = Recipe(name=WI8.value, kind=WI8)
    found = tensor_breaches(replace(graph, subgraphs=(main,)), recipe)
    assert len([it for it in found if "'dense/weight'" in it]) == broken


def test_weights_are_symmetric():
    shifted = requantize(tiny(ONLY4), "conv/weight", scales=[0.1] * 4, zero_point=1)
    (found,), _ = breaches(shifted, ONLY4)
    assert found.endswith("has the zero point 1; expected 0")


def test_four_bits_are_not_eight():
    (found, *_), _ = breaches(tiny(ONLY8), ONLY4)
    assert found.endswith("is int8; expected int4")


def test_a_dynamic_file_unpacks_no_weights():
    """Its kernels read them; unpacking would compute in floats."""
    tensors, operators = breaches(tiny(ONLY8), WI8)
    assert tensors == ()
    assert operators[0] == "operator 0 DEQUANTIZE v6 turns int8 into float32; expected nowhere"


def test_a_weight_only_file_has_no_hybrid_kernel():
    tensors, operators = breaches(tiny(WI8), ONLY8)
    assert tensors == ()
    assert "is a hybrid kernel: int8 'conv/weight'" in operators[0]


def with_blocks(change):
    def apply(model):
        draft = Draft(model)
        change(draft, draft.tensor("dense/weight"), draft.tensor("dense/weight_scales"))

    return edit(tiny(BLOCKS), apply)


def infinite(draft, _weights, scales):
    values = draft.values(scales).copy()
    values[0, 0] = np.inf
    draft.store(scales, values)


def zero(draft, _weights, scales):
    draft.store(scales, draft.values(scales) * 0)


def negative(draft, _weights, scales):
    draft.store(scales, -draft.values(scales))


def wide(draft, _weights, scales):
    draft.store(scales, draft.values(scales).astype(np.float32))


def too_few(draft, _weights, scales):
    values = draft.values(scales)[:, :7]
    scales.shape = scales.shapeSignature = list(values.shape)
    draft.store(scales, values)


def larger_blocks(_draft, weights, _scales):
    weights.quantization.details.blockSize = 64


def no_blocks(_draft, weights, _scales):
    weights.quantization.details.blockSize = 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (infinite, "has the scale inf for a block; expected a finite one above 0"),
        (zero, "has the scale 0 for a block; expected a finite one above 0"),
        (negative, "for a block; expected a finite one above 0"),
        (wide, "has scales of float32 (4, 8); expected constants, float16 (4, 8)"),
        (too_few, "has scales of float16 (4, 7); expected constants, float16 (4, 8)"),
        (larger_blocks, "one scale for each block of 64; expected one scale for each block of 32"),
        (no_blocks, "one scale for each block of 0; expected one scale for each block of 32"),
    ],
)
def test_scales_of_blocks_are_judged(change, expected):
    found, _ = breaches(with_blocks(change), BLOCKS)
    assert any(expected in sentence for sentence in found)


def test_int4_without_blocks_is_named():
    channels = requantize(tiny(BLOCKS), "dense/weight", scales=[0.1] * 4)
    found = breaches(channels, BLOCKS)[0]
    assert any(it.endswith("expected one scale for each block of 32 values") for it in found)


def test_activations_of_static_files_are_judged():
    found = breaches(retype(tiny(AI8), "flat", "uint8"), AI8)[0]
    assert any("'flat', activation of" in it and "expected int8" in it for it in found)
    found = breaches(retype(tiny(AI16), "conv/bias", "int32"), AI16)[0]
    assert any("is int32; expected int64" in it for it in found)


def test_ports_of_a_ready_made_file_are_upstreams():
    types = {kind: default_port_type(kind) for kind in QUANTIZER_KINDS}
    assert types == dict.fromkeys(QUANTIZER_KINDS, "float32") | {AI8: "int8", AI16: "int16"}

"""What a file says of its own conversion, and that damage to it says nothing and breaks nothing."""

import flatbuffers
import numpy as np
import pytest
from recurrent import blockwise, lstm, svdf

from litegate.measures.structure.inspection import UNSAID, origin
from litegate.spec import Kind
from litegate.testing import float_layer, tiny
from litegate.tflite.converter_metadata import Conversion, read
from litegate.tflite.editing.draft import edit
from litegate.tflite.editing.writer import ModelWriter
from litegate.tflite.parser import parse


def conversion(version="2.21.0", modes=(2000,)):
    """What the converter writes: a table of an environment and one of options."""
    builder = flatbuffers.Builder(64)
    text = builder.CreateString(version)
    builder.StartVector(4, len(modes), 4)
    for mode in reversed(modes):
        builder.PrependInt32(mode)
    listed = builder.EndVector()
    tables = [one_field(builder, reference) for reference in (text, listed)]
    builder.StartObject(2)
    for slot, table in enumerate(tables):
        builder.PrependUOffsetTRelativeSlot(slot, table, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def one_field(builder, reference):
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, reference, 0)
    return builder.EndObject()


def with_metadata(tflite, **entries):
    from ai_edge_litert import schema_py_generated as schema

    def change(model):
        for name, data in entries.items():
            model.buffers.append(schema.BufferT(data=list(data)))
            entry = schema.MetadataT(name=name, buffer=len(model.buffers) - 1)
            model.metadata = [*(model.metadata or []), entry]

    return edit(tflite, change)


@pytest.mark.parametrize(
    ("modes", "words"),
    [
        ((1001,), ("post-training, float16 weights",)),
        (
            (1003, 3002),
            ("post-training, integers with a representative data set", "block sparsity"),
        ),
        ((2000,), ("quantization-aware training",)),
        ((77,), ("unknown mode 77",)),
        ((), ()),
    ],
)
def test_modes_are_said_in_words(modes, words):
    assert read(conversion(modes=modes)) == Conversion(version="2.21.0", modes=words)


def test_damaged_metadata_say_nothing_and_break_nothing():
    whole = conversion()
    for length in range(len(whole)):
        read(whole[:length])
    for place in range(len(whole)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            read(whole[:place] + bytes([value]) + whole[place + 1 :])
    assert read(b"") == Conversion()


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (Kind.FLOAT32, "float32"),
        (Kind.FLOAT16, "float16 weights"),
        (Kind.DYNAMIC_RANGE, "dynamic range"),
        (Kind.INT8_QAT, "int8"),
        (Kind.INT16X8, "int16x8"),
        (Kind.STATIC_WI8_AI8, "int8"),
        (Kind.STATIC_WI8_AI16, "int16x8"),
        (Kind.DYNAMIC_WI8_AFP32, "dynamic range"),
        (Kind.WEIGHT_ONLY_WI8_AFP32, "int8 weights"),
        (Kind.WEIGHT_ONLY_WI4_AFP32, "int4 weights"),
        (Kind.DYNAMIC_WI4B32_AFP32, "dynamic range, int4"),
    ],
)
def test_form_is_read_off_the_types(kind, form):
    assert origin(parse(tiny(kind))).form == form


def mask():
    """The logical or of two masks: not one tensor of numbers."""
    writer = ModelWriter("mask")
    x = writer.computed("x", "bool", (1, 4))
    y = writer.computed("y", "bool", (1, 4))
    writer.operator("LOGICAL_OR", 1, (x, writer.constant("mask", np.zeros((1, 4), bool))), y)
    return writer.finish([x], [y])


@pytest.mark.parametrize(
    ("tflite", "form"),
    [
        (blockwise(), "dynamic range, int4"),
        (mask(), "integer"),
        (svdf(state="int16"), "int8"),
        (svdf(state="int8", time="int8"), "int8"),
        (lstm(), "int8"),
        (lstm(data="int16"), "int16x8"),
        (lstm("float32", "float32", "float32", "float32"), "float32"),
    ],
    ids=["int4 blocks", "masks", "svdf", "svdf8", "lstm", "lstm16x8", "float lstm"],
)
def test_form_of_layers_that_keep_a_state_or_scales_of_blocks(tflite, form):
    """Neither a state in 16 bits nor the scales of blocks in float16 decide."""
    assert origin(parse(tflite)).form == form


def test_a_float_layer_among_integers_is_partly_integer():
    assert origin(parse(float_layer(tiny(), "dense"))).form == "partly integer"


def test_what_the_file_does_not_say_is_not_guessed():
    found = origin(parse(tiny(Kind.INT8_QAT)))
    assert found.quantization == found.min_runtime == UNSAID
    assert origin(parse(tiny(Kind.FLOAT32))).quantization == "none"


def test_metadata_of_the_converter_are_told():
    entries = {"CONVERSION_METADATA": conversion(), "min_runtime_version": b"1.14.0\0\0\0"}
    found = origin(parse(with_metadata(tiny(), **entries)))
    assert found.quantization == "quantization-aware training"
    assert found.converter.endswith("TensorFlow 2.21.0")
    assert found.min_runtime == "1.14.0"


def test_names_of_tensors_point_to_training_and_prove_nothing():
    def rename(model):
        model.subgraphs[0].tensors[0].name = "net/quant_conv/FakeQuantWithMinMaxVars"

    found = origin(parse(edit(tiny(), rename)))
    assert found.quantization == f"{UNSAID}; names of tensors point to quantization-aware training"

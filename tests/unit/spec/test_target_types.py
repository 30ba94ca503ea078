"""Types that targets take, operator by operator, as their own runtimes and compilers decide."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from compiled import vela
from recurrent import lstm, svdf
from single import (
    arg_max,
    batch_matmul,
    cast,
    elementwise,
    floor_mod,
    mirror_pad,
    pad,
    quantize,
    reshape,
    resize_bilinear,
    space_to_depth,
    transpose,
    transpose_conv,
    unpacked_weights,
)
from streaming import streaming

from litegate.measures.structure.target import target_breaches
from litegate.spec import Kind
from litegate.spec.targets import Rule, Target, load
from litegate.testing import edit, tiny
from litegate.tflite.parser import parse


def breaches(name, tflite, tmp_path):
    return target_breaches(parse(tflite), load(name, tmp_path))


FLOATS = ("float32",) * 4
TAKEN_BY_TFLM = {
    "variables": streaming(),
    "int8 lstm": lstm(),
    "float lstm": lstm(*FLOATS),
    "svdf with a 16-bit state": svdf(),
    "svdf with an 8-bit state": svdf("int8", "int8"),
    "fed output shape": transpose_conv(),
    "packed weights": unpacked_weights(),
    "cast from uint32": cast("uint32", "float32"),
    "cast to uint32": cast("int8", "uint32"),
    "space_to_depth int8": space_to_depth("int8"),
    "floor_mod float32": floor_mod("float32"),
    "transpose int16": transpose("int16"),
    "mirror_pad int8": mirror_pad("int8"),
    "pad by int32": pad("int32"),
    "arg_max to int32": arg_max("int32"),
    "batch_matmul int16": batch_matmul("int16", "int16"),
    "batch_matmul on int16 weights": batch_matmul("int16", "int16", constant=True),
    "resize_bilinear int8": resize_bilinear("int8"),
}
REFUSED_BY_TFLM = {
    "space_to_depth int32": (space_to_depth("int32"), "'x0' is int32, allowed: float32, int8"),
    "space_to_depth int64": (space_to_depth("int64"), "'x0' is int64, allowed"),
    "space_to_depth uint8": (space_to_depth("uint8"), "'x0' is uint8, allowed"),
    "floor_mod int32": (floor_mod("int32"), "'x0' is int32, allowed: float32"),
    "transpose int32": (transpose("int32"), "'x0' is int32, allowed"),
    "mirror_pad int32": (mirror_pad("int32"), "'x0' is int32, allowed"),
    "pad by int64": (pad("int64"), "index 'c1' is int64, allowed: int32"),
    "arg_max to int64": (arg_max("int64"), "'y' is int64, allowed: int32"),
    "arg_max along int64": (arg_max("int32", "int64"), "index 'c1' is int64, allowed: int32"),
    "cast from uint8": (cast("uint8", "float32"), "'x' is uint8, allowed"),
    "cast to uint8": (cast("float32", "uint8"), "'y' is uint8, allowed"),
    "batch_matmul int16 x int8": (
        batch_matmul("int16", "int8"),
        "int16 beside int8, allowed: one type",
    ),
    "batch_matmul int16 on int8 weights": (
        batch_matmul("int16", "int8", constant=True),
        "int16 beside int8, allowed: one type",
    ),
    "resize_bilinear int16": (resize_bilinear("int16"), "'x0' is int16, allowed"),
    "lstm on float weights": (lstm(weights="float32"), "float32 weights beside int8 activations"),
}


@pytest.mark.parametrize("tflite", TAKEN_BY_TFLM.values(), ids=TAKEN_BY_TFLM)
def test_tflm_takes_what_its_interpreter_invokes(tflite, tmp_path):
    """The interpreter of tflite-micro 0.dev20261023 constructs and invokes each of these files."""
    assert breaches("tflm", tflite, tmp_path) == ()


@pytest.mark.parametrize(("tflite", "reason"), REFUSED_BY_TFLM.values(), ids=list(REFUSED_BY_TFLM))
def test_tflm_refuses_what_its_interpreter_refuses(tflite, reason, tmp_path):
    """The same interpreter constructs or invokes none of these."""
    assert any(reason in breach for breach in breaches("tflm", tflite, tmp_path))


def test_the_state_and_the_bias_of_an_lstm_are_no_activations(tmp_path):
    """16 bits and 32 bits are no reason for the Edge TPU either."""
    assert breaches("edgetpu", lstm(), tmp_path) == ()


TAKEN_BY_VELA = {
    "free batch": tiny(Kind.INT8_QAT, input_type="int8", output_type="int8"),
    "int32 without a scale": elementwise("MUL", "int32"),
    "int32 difference": elementwise("SUB", "int32"),
    "int32 reshape": reshape("int32"),
    "arg_max along the last axis": arg_max("int32"),
    "batch_matmul int8": batch_matmul("int8", "int8"),
    "quantize to int16": quantize("int8", "int16"),
    "fed output shape": transpose_conv(),
    "int8 lstm": lstm(),
}
REFUSED_BY_VELA = {
    "batch_matmul int16": (batch_matmul("int16", "int16"), "'x0' is int16, allowed: int8"),
    "quantize to int32": (quantize("int16", "int32"), "'y' is int32, allowed"),
    "arg_max along the first axis": (arg_max("int32", over=0), "axis 0, allowed: the last one"),
    "int32 maximum": (elementwise("MAXIMUM", "int32"), "'x0' is int32, allowed"),
    "int8 without a scale": (elementwise("MUL", "int8", scaled=False), "'x0' has no scale"),
}


@pytest.mark.parametrize("tflite", TAKEN_BY_VELA.values(), ids=TAKEN_BY_VELA)
def test_ethos_u_takes_what_vela_puts_on_the_npu(tflite, tmp_path):
    """Vela 5.2.0 leaves no operator of these files to the processor, for U55 and U65."""
    assert breaches("ethos-u", tflite, tmp_path) == ()


@pytest.mark.parametrize(("tflite", "reason"), REFUSED_BY_VELA.values(), ids=list(REFUSED_BY_VELA))
def test_ethos_u_refuses_what_vela_leaves_to_the_processor(tflite, reason, tmp_path):
    assert any(reason in breach for breach in breaches("ethos-u", tflite, tmp_path))


def test_ethos_u_takes_what_vela_has_compiled(tmp_path):
    assert breaches("ethos-u", vela(), tmp_path) == ()


@pytest.mark.parametrize(("text", "folds"), [("", False), ("folds_shapes = true\n", True)])
def test_a_list_says_whether_shapes_are_folded(text, folds, tmp_path):
    """Those of a free batch; the operators that compute with samples stay."""
    names = ["QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "DEQUANTIZE"]
    operators = "".join(f"{name} = {{}}\n" for name in names)
    (tmp_path / "own.toml").write_text(f"source = 'here'\n{text}[operators]\n{operators}")
    found = breaches("own.toml", tiny(), tmp_path)
    assert [breach.split()[2] for breach in found] == ([] if folds else FOLDED)


FOLDED = ["SHAPE", "STRIDED_SLICE", "PACK"]


@pytest.mark.parametrize(("axis", "reasons"), [(0, 1), (1, 0), (-1, 0), (-2, 1), (2, 1)])
def test_an_axis_must_be_the_last_one(axis, reasons):
    """Of the two axes of the operand, counted from either end."""
    rules = {"ARG_MAX": Rule(last_axis=1)}
    mine = Target(name="mine", source="here", digest="0" * 64, operators=rules)
    assert len(target_breaches(parse(arg_max("int32", over=axis)), mine)) == reasons


def test_a_computed_axis_is_not_known_to_be_the_last_one():
    rules = {"TRANSPOSE_CONV": Rule(last_axis=0)}
    mine = Target(name="mine", source="here", digest="0" * 64, operators=rules)
    (found,) = target_breaches(parse(transpose_conv()), mine)
    assert "axis computed, allowed: the last one" in found


@pytest.mark.parametrize(
    ("shape", "dtype", "got"),
    [((2,), "INT32", "int32 of shape (2,)"), ((1,), "STRING", "string of shape (1,)")],
)
def test_an_axis_of_many_bytes_is_no_number(shape, dtype, got):
    """A number of thousands of digits cannot be printed."""

    def change(model):
        graph = model.subgraphs[0]
        axis = graph.tensors[graph.operators[0].inputs[1]]
        axis.shape, axis.type = list(shape), getattr(schema.TensorType, dtype)
        size = 4 * shape[0] if dtype == "INT32" else 10_000
        model.buffers[axis.buffer].data = np.ones(size, np.uint8)

    rules = {"ARG_MAX": Rule(last_axis=1)}
    mine = Target(name="mine", source="here", digest="0" * 64, operators=rules)
    (found,) = target_breaches(parse(edit(arg_max("int32"), change)), mine)
    assert f"axis {got}, allowed: the last one" in found


@pytest.mark.parametrize(
    ("name", "tflite", "rule", "reason"),
    [
        ("SVDF", svdf(), {"states": ("int8",)}, "state 'memory' is int16, allowed: int8"),
        ("SVDF", svdf(), {"states": ("int16",)}, ""),
        ("CAST", cast("int8", "bool"), {"results": ("int8",)}, "'y' is bool, allowed: int8"),
        ("CAST", cast("int8", "bool"), {"types": ("int8",), "results": ("bool",)}, ""),
        (
            "CAST",
            cast("int8", "bool"),
            {"conversions": ("bool int8", "int8 int32")},
            "int8 to bool, allowed: bool to int8, int8 to int32",
        ),
        ("CAST", cast("int8", "bool"), {"conversions": ("int8 bool",)}, ""),
        ("CAST", cast("int8", "bool"), {"alike": True}, "bool beside int8, allowed: one type"),
        ("CAST", cast("int8", "int8"), {"alike": True}, ""),
        ("PAD", pad("int32"), {"types": ("int8",), "indices": ()}, "'c1' is int32, allowed: int8"),
        ("PAD", pad("int32"), {"types": ("int8",), "indices": (1,)}, ""),
        ("PAD", pad("int32"), {"quantized": True, "indices": ()}, "'c1' has no scale"),
        ("PAD", pad("int32"), {"quantized": True, "indices": (), "unscaled": ("int32",)}, ""),
        (
            "PAD",
            pad("int32"),
            {"indices": (1, 9), "index_types": ("int64",)},
            "index 'c1' is int32, allowed: int64",
        ),
    ],
)
def test_rules_of_types_by_operand(name, tflite, rule, reason):
    rules = {name: Rule(**rule), "QUANTIZE": Rule()}
    mine = Target(name="mine", source="here", digest="0" * 64, operators=rules)
    found = target_breaches(parse(tflite), mine)
    assert [reason in breach for breach in found] == ([True] if reason else [])

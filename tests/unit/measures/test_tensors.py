"""Promises: what breaks one fails by its name, and what keeps all of them passes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from broken_tensors import BROKEN, MODEL, scales
from graphs import altered, recipe, renamed
from recurrent import half_lstm, lstm, svdf

from litegate.measures.measurement import Outcome
from litegate.measures.structure.allowed_types import OPERATOR_RULES
from litegate.measures.structure.tensors import (
    operator_violations,
    reference_violations,
    tensor_breaches,
    tensor_violations,
)
from litegate.measures.verdict_text import sentence
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.testing import (
    Draft,
    artifact,
    edit,
    requantize,
    retype,
    revalue,
    tiny,
    tiny_artifact,
)
from litegate.tflite.parser import parse

INT8 = (Kind.INT8_QAT, Kind.INT8_PTQ)
PORTS = [(kind, io, io) for kind in INT8 for io in ("float32", "int8", "uint8")]
PORTS += [(kind, "float32", "float32") for kind in Kind if kind not in INT8]
PORTS += [(Kind.INT8_QAT, "uint8", "float32"), (Kind.INT8_QAT, "float32", "int8")]
GRAPH = parse(MODEL)


def tensors(kind, tflite, **ports):
    return tensor_violations(artifact(tflite, kind, **ports)).offenders


def operators(kind, tflite, **ports):
    return operator_violations(artifact(tflite, kind, **ports)).offenders


# What keeps its promise


@pytest.mark.parametrize(("kind", "input_type", "output_type"), PORTS)
def test_what_keeps_its_promise_passes(kind, input_type, output_type):
    """Every kind of recipe, with every input and output type that it may declare."""
    subject = tiny_artifact(kind, input_type=input_type, output_type=output_type)
    for measure in (tensor_violations, operator_violations):
        verdict = measure(subject) <= 0
        assert verdict.measurement.offenders == ()
        assert verdict.outcome is Outcome.PASS


def test_the_evidence_counts_the_tensors_by_role():
    """How many tensors were looked at, and as what."""
    found = tensor_violations(tiny_artifact())
    assert found.n == 19
    assert found.evidence == (
        "input 1, output 1, weight 3, bias 3, activation 5, shape or constant 6",
    )
    assert operator_violations(tiny_artifact()).n == 9


def test_a_float_reference_passes_its_audit():
    """The float twin of the tiny network is float all through."""
    assert (reference_violations(tiny_artifact(Kind.FLOAT32)) <= 0).outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["ad01", "resnet8"])
def test_real_pairs_keep_their_promises(data_directory, name):
    """Int8 in and out beside a float reference, as TensorFlow's converter wrote them."""
    folder = data_directory / "mlperf_tiny"
    quantized = (folder / f"{name}_int8.tflite").read_bytes()
    plain = (folder / f"{name}_float32.tflite").read_bytes()
    ports = {"input_type": "int8", "output_type": "int8"}
    assert tensors(Kind.INT8_PTQ, quantized, **ports) == ()
    assert operators(Kind.INT8_PTQ, quantized, **ports) == ()
    assert reference_violations(artifact(plain, Kind.FLOAT32)).offenders == ()


@pytest.mark.parametrize("name", ["ad01", "resnet8"])
def test_real_pairs_fail_in_each_others_place(data_directory, name):
    """An int8 file is no float reference, a float file no int8 candidate."""
    folder = data_directory / "mlperf_tiny"
    quantized = (folder / f"{name}_int8.tflite").read_bytes()
    plain = (folder / f"{name}_float32.tflite").read_bytes()
    assert len(reference_violations(artifact(quantized, Kind.FLOAT32)).offenders) > 20
    assert len(tensors(Kind.INT8_PTQ, plain)) > 20
    assert len(operators(Kind.INT8_PTQ, plain)) >= 10


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_tensor_is_named(case):
    """Which tensor, whose, what it is and what was promised; nothing but what follows from it."""
    tflite, *expected = case
    assert list(tensors(Kind.INT8_QAT, tflite)) == expected


def test_a_sentence_says_what_broke():
    """The verdict's own words hold the offender's."""
    tflite, offender = BROKEN["64-bit bias"]
    verdict = tensor_violations(artifact(tflite)) <= 0
    assert verdict.outcome is Outcome.FAIL
    assert sentence(verdict).startswith(
        "tensor type violations of tiny/int8_qat are 1, must be at most 0 (over by 1)"
    )
    assert f"\n  - {offender}" in sentence(verdict)


@pytest.mark.parametrize("name", ["input", "output"])
@pytest.mark.parametrize("declared", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("got", ["float32", "int8", "uint8"])
def test_ports_are_as_the_recipe_declares(name, declared, got):
    """An int8 input where uint8 was declared, and every other mixture."""
    tflite = tiny(Kind.INT8_PTQ, **{f"{name}_type": got})
    found = tensors(Kind.INT8_PTQ, tflite, **{f"{name}_type": declared})
    if declared == got:
        assert found == ()
    else:
        (offender,) = found
        assert f", {name} of " in offender
        assert f"is {got}; expected {declared}" in offender


def test_uint8_activations_are_allowed():
    """The older 8-bit type is no break of an 8-bit promise."""
    assert tensors(Kind.INT8_QAT, retype(MODEL, "flat", "uint8")) == ()


def test_a_dense_layer_may_be_per_tensor():
    """Dense layers of tfmot have one scale; so has their bias."""
    tflite = requantize(MODEL, "dense/weight", scales=[0.25])
    tflite = requantize(tflite, "dense/bias", scales=[0.25 * scales("flat")[0]])
    assert tensors(Kind.INT8_QAT, tflite) == ()


def test_a_dense_layer_per_channel_has_them_along_its_outputs():
    """Four scales along the inputs are no scales of the four outputs."""
    square = altered(GRAPH, "dense/weight", shape=(4, 4))
    assert tensor_breaches(square, recipe(Kind.INT8_QAT)) == ()
    (found,) = tensor_breaches(
        altered(square, "dense/weight", quantized_dimension=1), recipe(Kind.INT8_QAT)
    )
    assert found.endswith(
        "is int8 with 4 scales along dimension 1; expected one scale, or one for each channel"
    )


@pytest.mark.parametrize(
    ("scale", "broken"), [(0.0, 0), (1.0, 0), (-1.0, 1), (math.inf, 1), (math.nan, 1)]
)
def test_a_scale_is_a_number_from_zero_on(scale, broken):
    """The converter gives constant zeros the scale 0; anything below or beyond is damage."""
    graph = altered(GRAPH, "flat/features", dtype="int8", scales=(scale,), zero_points=(0,))
    found = [one for one in tensor_breaches(graph, recipe(Kind.INT8_QAT)) if "features" in one]
    assert len(found) == broken


def test_a_float_tensor_has_no_scale():
    """A scale on a float activation is left over from quantizing, or on its way to it."""
    (found,) = tensors(Kind.FLOAT32, requantize(tiny(Kind.FLOAT32), "conv", scales=[0.1]))
    assert found.endswith("is float32 with one scale; expected no scale")


@pytest.mark.parametrize(
    ("off", "broken"),
    [(0.0, 0), (9.9e-6, 0), (-9.9e-6, 0), (1.01e-5, 1), (-1.01e-5, 1)],
)
def test_a_bias_scale_is_held_within_a_hundred_thousandth(off, broken):
    """Just inside the tolerance and just outside, on both sides and in the last channel only."""
    exact = [scales("input/quantized")[0] * scale for scale in scales("conv/weight")]
    graph = altered(GRAPH, "conv/bias", scales=(*exact[:3], exact[3] * (1 + off)))
    found = tensor_breaches(graph, recipe(Kind.INT8_QAT))
    assert len(found) == broken
    assert all("in channel 3" in offender for offender in found)


def shared_bias(values):
    """Two convolutions of one bias tensor, whose scale is right for the first of them."""

    def change(model):
        draft = Draft(model)
        first, second = draft.graph.operators[1:3]
        second.inputs = [*second.inputs[:2], first.inputs[2]]

    filled = revalue(MODEL, "conv/bias", lambda old: np.full_like(old, values))
    return requantize(edit(filled, change), "depthwise/bias", scales=())


def test_zeros_may_be_the_bias_of_two_layers():
    """Nothing times any scale is nothing: the converter shares such a bias among layers."""
    assert tensors(Kind.INT8_QAT, shared_bias(0)) == ()


def test_a_bias_of_two_layers_must_fit_both():
    """Other values mean something else in the second layer."""
    (offender,) = tensors(Kind.INT8_QAT, shared_bias(1))
    assert offender.startswith("tensor 3 'conv/bias', bias of operator 2 DEPTHWISE_CONV_2D v3, has")


def test_zeros_that_fit_no_layer_are_no_exception():
    """A bias of zeros must have the right scale for one of its layers."""
    tflite = requantize(shared_bias(0), "conv/bias", scales=[1.0] * 4)
    assert len(tensors(Kind.INT8_QAT, tflite)) == 2


# The other kinds


@pytest.mark.parametrize(
    ("tflite", "kind", "offender"),
    [
        (tiny(Kind.DYNAMIC_RANGE), Kind.INT8_QAT, "'conv/weight', weight of"),
        (tiny(Kind.DYNAMIC_RANGE), Kind.FLOAT16, "'dense/weight', weight of"),
        (tiny(Kind.FLOAT32), Kind.FLOAT16, "'conv/weight', weight of"),
        (tiny(Kind.FLOAT32), Kind.DYNAMIC_RANGE, "'dense/weight', weight of"),
        (tiny(Kind.FLOAT16), Kind.FLOAT32, "'conv/weight', weight of"),
        (tiny(Kind.FLOAT16), Kind.DYNAMIC_RANGE, "'conv/weight', weight of"),
        (tiny(Kind.INT8_QAT), Kind.INT16X8, "'conv', activation of"),
        (tiny(Kind.INT16X8), Kind.INT8_QAT, "'conv', activation of"),
        (
            retype(tiny(Kind.INT16X8), "conv/bias", "int32"),
            Kind.INT16X8,
            "'conv/bias', bias of operator 1 CONV_2D v3, is int32; expected int64",
        ),
        (
            requantize(tiny(Kind.INT16X8), "flat", scales=[0.1], zero_point=1),
            Kind.INT16X8,
            "'flat', activation of operator 6 RESHAPE v1, has the zero point 1; expected 0",
        ),
        (
            retype(tiny(Kind.FLOAT32), "conv/bias", "float16"),
            Kind.FLOAT32,
            "'conv/bias', bias of operator 0 CONV_2D v1, is float16; expected float32",
        ),
        (
            requantize(tiny(Kind.DYNAMIC_RANGE), "dense/weight", scales=[0.1] * 4, zero_point=5),
            Kind.DYNAMIC_RANGE,
            "'dense/weight', weight of operator 6 FULLY_CONNECTED v12, has the zero point 5",
        ),
    ],
)
def test_no_kind_passes_as_another(tflite, kind, offender):
    """Each kind has its own row of the table."""
    assert any(offender in found for found in tensors(kind, tflite))


@pytest.mark.parametrize(("features", "broken"), [(1023, 0), (1024, 1), (1025, 1)])
def test_dynamic_range_leaves_small_weights_alone(features, broken):
    """Fewer than 1,024 elements may stay float32; from there on they must not."""
    graph = altered(parse(tiny(Kind.FLOAT32)), "dense/weight", shape=(1, features))
    found = tensor_breaches(graph, recipe(Kind.DYNAMIC_RANGE))
    assert len(found) == broken
    assert all("expected int8 or float32 of fewer than 1,024 elements" in one for one in found)


@pytest.mark.parametrize(("reader", "broken"), [("DEQUANTIZE", 0), ("RELU", 1)])
def test_dynamic_range_may_unpack_what_it_looked_up(reader, broken):
    """An int8 row of an embedding is allowed on its way to DEQUANTIZE, and nowhere else."""
    graph = altered(
        parse(tiny(Kind.DYNAMIC_RANGE)), "flat", dtype="int8", scales=(0.1,), zero_points=(0,)
    )
    dense = next(one.index for one in graph.main.operators if one.name == "FULLY_CONNECTED")
    found = tensor_breaches(renamed(graph, dense, reader), recipe(Kind.DYNAMIC_RANGE))
    assert len([one for one in found if "'flat'" in one]) == broken


@pytest.mark.parametrize("zero_point", [0, -3])
def test_a_batch_matmul_quantizes_its_constant_like_an_activation(zero_point):
    """Its zero point is free; a dense layer's is not."""
    graph = altered(GRAPH, "dense/weight", scales=(0.1,), zero_points=(zero_point,))
    graph = altered(graph, "dense/bias", scales=(0.1 * scales("flat")[0],), zero_points=(0,))
    product = renamed(graph, 7, "BATCH_MATMUL")
    broken = [
        [one for one in tensor_breaches(each, recipe(Kind.INT8_PTQ)) if "'dense/weight'" in one]
        for each in (graph, product)
    ]
    assert [len(one) for one in broken] == [int(zero_point != 0), 0]


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "BATCH_MATMUL"])
def test_dynamic_range_packs_every_large_weight(name):
    """A float operand of a product is a weight that was left as it is."""
    graph = renamed(parse(tiny(Kind.FLOAT32)), 6, name)
    (found,) = tensor_breaches(graph, recipe(Kind.DYNAMIC_RANGE))
    assert "'dense/weight', weight of operator 6" in found


FLOAT_KINDS = {kind for kind in Kind if OPERATOR_RULES[kind].floats}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("name", "judged"),
    [
        ("BIDIRECTIONAL_SEQUENCE_LSTM", FLOAT_KINDS),
        ("UNIDIRECTIONAL_SEQUENCE_RNN", FLOAT_KINDS),
        ("EMBEDDING_LOOKUP_SPARSE", {Kind.FLOAT32}),
    ],
)
def test_layers_that_cannot_be_judged_are_named(kind, name, judged):
    """The integer kernels of these layers have rules of their own, which have no row here."""
    graph = renamed(parse(tiny(kind)), 2, name)
    found = [one for one in tensor_breaches(graph, recipe(kind)) if "cannot judge" in one]
    assert len(found) == int(kind not in judged)
    assert all(one.startswith(f"operator 2 {name} v") for one in found)


def test_a_recurrent_layer_is_judged_where_it_computes_in_floats():
    """Its operands of fewer than 1,024 elements may be float32 in a dynamic range file."""
    graph = parse(lstm("float32", "float32", "float32", "float32"))
    assert not tensor_breaches(graph, recipe(Kind.FLOAT32))
    assert not tensor_breaches(graph, recipe(Kind.DYNAMIC_RANGE))
    packed = tensor_breaches(graph, recipe(Kind.FLOAT16))
    assert len(packed) == 8 + 4
    assert (
        "'input/0', weight of operator 0 UNIDIRECTIONAL_SEQUENCE_LSTM v1, is float32" in packed[0]
    )
    large = altered(graph, "recurrent/2", shape=(32, 32))
    (breach,) = tensor_breaches(large, recipe(Kind.DYNAMIC_RANGE))
    assert "'recurrent/2', weight of operator 0" in breach


def integer_breaches(graph):
    """Return the rules of an int8 recipe that the first operator and its tensors break."""
    integer = replace(recipe(Kind.INT8_PTQ), input_type="int8", output_type="int8")
    return [found for found in tensor_breaches(graph, integer) if "operator 0 " in found]


@pytest.mark.parametrize("tflite", [lstm(), svdf(), svdf("int8", "int8")])
def test_integer_recurrent_layers_keep_their_types(tflite):
    assert not integer_breaches(parse(tflite))


@pytest.mark.parametrize(
    ("tflite", "tensor", "changes", "message"),
    [
        (lstm(), "recurrent/2", {"zero_points": (1,)}, "has the zero point 1"),
        (lstm(), "recurrent/2", {"dtype": "int16"}, "is int16; expected int8"),
        (lstm(), "bias/3", {"scales": (0.3,)}, "expected 0.25, the input's times the weight's"),
        (lstm(), "bias/3", {"dtype": "int64"}, "is int64; expected int32"),
        (lstm(), "cell", {"dtype": "float32"}, "is float32; expected int8"),
        (svdf(), "time", {"dtype": "int32"}, "is int32; expected int8 or int16"),
        (svdf(), "feature", {"dtype": "int16"}, "is int16; expected int8"),
        (svdf(), "bias", {"scales": (0.3,)}, "expected 0.25, the input's times the weight's"),
    ],
)
def test_a_broken_rule_of_an_integer_recurrent_layer_is_named(tflite, tensor, changes, message):
    (found,) = integer_breaches(altered(parse(tflite), tensor, **changes))
    assert repr(tensor) in found
    assert message in found


def test_an_integer_lstm_with_peepholes_cannot_be_judged():
    """Nor one with a projection or layer normalization, which no converter of Keras makes."""

    def connect(model):
        layer = model.subgraphs[0].operators[0]
        layer.inputs = [*layer.inputs[:9], layer.inputs[1], *layer.inputs[10:]]

    (found, *_) = integer_breaches(parse(edit(lstm(), connect)))
    assert found.startswith("operator 0 UNIDIRECTIONAL_SEQUENCE_LSTM v1 has weights that litegate")


def test_a_float16_lstm_keeps_its_promise():
    made = artifact(half_lstm(), Kind.FLOAT16)
    assert tensor_violations(made).offenders == operator_violations(made).offenders == ()
    assert outputs(made.tflite, np.zeros((2, 3, 4), np.float32)).raw.shape == (2, 3, 5)

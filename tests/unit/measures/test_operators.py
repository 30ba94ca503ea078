"""Operators and references: islands, hybrids, custom code, and references that are not float."""

import time
from dataclasses import replace
from itertools import compress

import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator
from graphs import altered, recipe, renamed

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.measurement import Outcome
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.tensors import (
    operator_violations,
    reference_violations,
    tensor_breaches,
    tensor_violations,
)
from litegate.spec import Kind
from litegate.testing import (
    Draft,
    artifact,
    custom_operator,
    edit,
    float_layer,
    round_trip,
    tiny,
)
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse

INT8 = (Kind.INT8_QAT, Kind.INT8_PTQ)
MODEL = tiny(Kind.INT8_QAT)
GRAPH = parse(MODEL)


def operators(kind, tflite):
    return operator_violations(artifact(tflite, kind)).offenders


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(("code", "word"), [("FlexErf", "Flex"), ("MyOwn", "custom")])
def test_custom_and_flex_operators_break_every_promise(kind, code, word):
    """Named with index and version, whatever the recipe."""
    (found,) = operators(kind, custom_operator(tiny(kind), "flat", code))
    number = found.split()[1]
    assert found == (
        f"operator {number} CUSTOM v1 is the {word} operator {code}; "
        "expected only built-in operators"
    )


def test_a_float_round_trip_is_an_island():
    """DEQUANTIZE and QUANTIZE in the middle of an int8 model."""
    assert operators(Kind.INT8_QAT, round_trip(MODEL, "flat")) == (
        (
            "operator 7 DEQUANTIZE v1 turns int8 into float32; "
            "expected only on an input or output of the model"
        ),
        (
            "operator 8 QUANTIZE v1 turns float32 into int8; "
            "expected only on an input or output of the model"
        ),
    )


def test_a_float_layer_is_an_island():
    """One layer in floats, with what leads to it and away from it."""
    found = operators(Kind.INT8_QAT, float_layer(MODEL, "dense"))
    assert [one.split(";")[0] for one in found] == [
        "operator 7 DEQUANTIZE v1 turns int8 into float32",
        "operator 8 FULLY_CONNECTED v1 computes in floats: float32 'flat/float'",
        "operator 9 QUANTIZE v1 turns float32 into int8",
    ]


def test_a_float_layer_between_float_ports_is_an_island():
    """An operator from a float input straight to a float output leaves no float activation."""
    graph = renamed(parse(tiny(Kind.FLOAT32)), 1, "RELU")
    main = replace(graph.main, operators=graph.main.operators[1:2], inputs=(3,), outputs=(6,))
    found = operator_breaches(replace(graph, subgraphs=(main,)), recipe(Kind.INT8_QAT))
    assert found == ("operator 1 RELU v1 computes in floats: float32 'conv'; expected integers",)


def test_a_rescaling_between_integers_is_in_place():
    """QUANTIZE from int8 to int8: honest QAT files have it before a CONCATENATION."""

    def rescale(model):
        draft = Draft(model)
        index, after = draft.index("conv"), draft.writer("conv") + 1
        again = draft.beside(index, "/again")
        draft.read_instead(index, again)
        draft.graph.operators[after:after] = [draft.step("QUANTIZE", index, again)]

    assert operators(Kind.INT8_QAT, edit(tiny(), rescale)) == ()


def test_a_change_of_type_in_the_middle_is_out_of_place():
    """QUANTIZE into int8 from another type stands on an input or output alone."""
    found = operator_breaches(renamed(GRAPH, 6, "QUANTIZE"), recipe(Kind.INT8_QAT))
    assert found == (
        (
            "operator 6 QUANTIZE v1 turns int8, int32 into int8; "
            "expected only on an input or output of the model"
        ),
    )


@pytest.mark.parametrize("kind", [*INT8, Kind.INT16X8, Kind.FLOAT16, Kind.FLOAT32])
def test_a_hybrid_kernel_is_named(kind):
    """Int8 weights under float activations: `dynamic_range` alone promises them."""
    found = [one for one in operators(kind, tiny(Kind.DYNAMIC_RANGE)) if "hybrid" in one]
    assert found == [
        (
            "operator 6 FULLY_CONNECTED v12 is a hybrid kernel: int8 'dense/weight' beside "
            "float32 'flat'; expected none"
        )
    ]


def test_shape_reads_floats_without_computing_in_them():
    """SHAPE of a float input is allowed in an int8 model."""
    shape = GRAPH.main.operators[3]
    read = replace(shape, inputs=GRAPH.main.inputs)
    steps = tuple(read if one is shape else one for one in GRAPH.main.operators)
    graph = replace(GRAPH, subgraphs=(replace(GRAPH.main, operators=steps),))
    assert operator_breaches(graph, recipe(Kind.INT8_QAT)) == ()
    assert tensor_breaches(graph, recipe(Kind.INT8_QAT)) == ()


def test_fake_quantization_is_left_out_of_a_float_reference():
    """A FAKE_QUANT in floats is quantization all the same."""
    graph = renamed(parse(tiny(Kind.FLOAT32)), 5, "FAKE_QUANT")
    (found,) = operator_breaches(graph, recipe(Kind.FLOAT32))
    assert found.startswith("operator 5 FAKE_QUANT v1 turns float32, int32 into float32")


def test_a_dequantize_whose_shape_alone_is_read_changes_nothing():
    """litert-quantizer writes one before each SHAPE; beside any other reader it is named."""

    def change(readers):
        def apply(model):
            draft = Draft(model)
            is_shape = (draft.builtin(op) == BuiltinOperator.SHAPE for op in draft.graph.operators)
            shape = next(compress(draft.graph.operators, is_shape))
            source = shape.inputs[0]
            floats = draft.beside_float(source)
            shape.inputs = [floats]
            position = draft.graph.operators.index(shape)
            draft.graph.operators.insert(position, draft.step("DEQUANTIZE", source, floats))
            for _ in range(readers):
                other = draft.beside(floats, "/neg")
                draft.graph.operators.append(draft.step("NEG", floats, other))

        return parse(edit(MODEL, apply))

    assert operator_breaches(change(0), recipe(Kind.INT8_QAT)) == ()
    found = operator_breaches(change(1), recipe(Kind.INT8_QAT))
    assert any("DEQUANTIZE v1 turns int8 into float32" in it for it in found)


def test_float16_unpacks_constants_and_nothing_else():
    """DEQUANTIZE on an activation is no way to keep weights in float16."""
    graph = parse(tiny(Kind.FLOAT16))
    flat = next(one.index for one in graph.main.operators if one.name == "RESHAPE")
    (found,) = operator_breaches(renamed(graph, flat, "DEQUANTIZE"), recipe(Kind.FLOAT16))
    assert found.endswith("expected only on a constant")


def test_an_absent_operand_is_passed_over():
    """A dense layer without bias is judged by what it has."""
    dense = GRAPH.main.operators[7]
    bare = replace(dense, inputs=(*dense.inputs[:2], ABSENT))
    steps = tuple(bare if one is dense else one for one in GRAPH.main.operators)
    main = replace(GRAPH.main, operators=steps)
    assert operator_breaches(replace(GRAPH, subgraphs=(main,)), recipe(Kind.INT8_QAT)) == ()


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.FLOAT32])
def test_a_reference_that_is_not_float_is_named(kind):
    """Every other kind, also where its certificate says float32."""
    verdict = reference_violations(artifact(tiny(kind), Kind.FLOAT32)) <= 0
    assert verdict.outcome is Outcome.FAIL
    assert any("'dense/weight', weight of" in one for one in verdict.measurement.offenders)


def test_a_hybrid_reference_is_named_by_tensor_and_operator():
    """Quantized weights in a "float" reference: the weight, and the kernel that reads it."""
    hybrid = artifact(tiny(Kind.DYNAMIC_RANGE), Kind.FLOAT32)
    assert reference_violations(hybrid).offenders == (
        (
            "tensor 14 'dense/weight', weight of operator 6 FULLY_CONNECTED v12, is int8; "
            "expected float32"
        ),
        (
            "operator 6 FULLY_CONNECTED v12 is a hybrid kernel: int8 'dense/weight' beside "
            "float32 'flat'; expected none"
        ),
    )


def test_a_reference_is_judged_as_float_whatever_it_says():
    """An int8 recipe does not excuse an int8 reference."""
    assert reference_violations(artifact(MODEL, Kind.INT8_QAT)).value > 0


def test_a_tensor_of_an_inner_graph_is_named_with_it():
    """Every graph of a file is judged, not only the main one."""

    def change(model):
        model.subgraphs.append(model.subgraphs[0])

    graph = parse(edit(MODEL, change))
    body = altered(replace(graph, subgraphs=graph.subgraphs[1:]), "conv/bias", dtype="int64")
    both = replace(graph, subgraphs=(graph.main, body.main))
    ports, bias = (
        [one for one in tensor_breaches(both, recipe(Kind.INT8_QAT)) if one.startswith(start)]
        for start in ("graph 1, tensor 0", "graph 1, tensor 3")
    )
    assert "'input', activation of operator 0 QUANTIZE v1, is float32" in ports[0]
    assert "'conv/bias', bias of operator 1 CONV_2D v3, is int64" in bias[0]
    assert len(operator_breaches(both, recipe(Kind.INT8_QAT))) == 2


def nothing(model):
    """A graph without tensors and operators, which is a file all the same."""
    graph = model.subgraphs[0]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []


@pytest.mark.parametrize("measure", [tensor_violations, operator_violations, reference_violations])
def test_a_graph_without_anything_is_an_error(measure):
    """Nothing looked at is not nothing broken."""
    with pytest.raises(MeasurementError, match="nothing was measured"):
        measure(artifact(edit(MODEL, nothing), Kind.FLOAT32))


@pytest.mark.parametrize("measure", [tensor_violations, operator_violations, reference_violations])
def test_a_file_that_cannot_be_read_is_an_error(measure):
    """By the artifact's name."""
    with pytest.raises(ArtifactError, match="tiny/int8_qat is not a valid"):
        measure(artifact(MODEL[:-50]))


def chain(names, inputs=1):
    """A graph of these operators, each reading the one before it, or an input of its own."""
    n = len(names)
    tensors = tuple(
        Tensor(index=index, name=f"layer/{index}", dtype="int8", shape=(1,), shape_signature=(1,))
        for index in range(n + inputs)
    )
    sources = range(n) if inputs == 1 else range(n, n + inputs)
    written = range(1, n + 1) if inputs == 1 else range(n)
    steps = tuple(
        Operator(index=index, name=name, version=1, inputs=(source,), outputs=(result,))
        for index, (name, source, result) in enumerate(zip(names, sources, written, strict=True))
    )
    subgraph = Subgraph(
        index=0,
        name="",
        tensors=tensors,
        operators=steps,
        inputs=(0,) if inputs == 1 else tuple(sources),
        outputs=(n,) if inputs == 1 else tuple(written),
    )
    return Graph(description="", subgraphs=(subgraph,), buffers=(), metadata=())


@pytest.mark.parametrize(
    ("names", "inputs", "float_layers"),
    [
        (["DEQUANTIZE", "RELU", "QUANTIZE"], 1, ("layer",)),
        (["RELU"] * 3, 1, ()),
        (["QUANTIZE"] * 3, 30_000, ()),
    ],
    ids=("borders", "no borders", "inputs"),
)
def test_thirty_thousand_operators_are_judged_in_seconds(names, inputs, float_layers):
    """Seconds of the processor, so that other processes do not count; each took over a minute."""
    graph = chain(names * 10_000, inputs)
    began = time.process_time()
    judged = replace(recipe(Kind.INT8_QAT), float_layers=float_layers)
    assert operator_breaches(graph, judged) == ()
    assert time.process_time() - began < 3

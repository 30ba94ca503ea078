"""Multiply-accumulates: each formula by a number worked out by hand, and what is not known."""

import pytest
from graphs import altered, renamed
from streaming import streaming

from litegate.core.errors import MeasurementError
from litegate.measures.structure.macs import (
    FORMULAS,
    WITHOUT_MACS,
    costs,
    macs,
    uncounted_operators,
)
from litegate.spec import Kind
from litegate.testing import artifact, custom_operator, tiny, tiny_artifact
from litegate.tflite.graph import Graph, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse


def graph(name, inputs, output, **fields):
    """One operator; an input without a shape is left out."""
    shapes = [shape for shape in inputs if shape is not None] + [output]
    tensors = tuple(
        Tensor(index=n, name=f"t{n}", dtype="int8", shape=shape, shape_signature=shape)
        for n, shape in enumerate(shapes)
    )
    numbers = iter(range(len(tensors)))
    read = tuple(-1 if shape is None else next(numbers) for shape in inputs)
    operator = Operator(
        index=0, name=name, version=1, inputs=read, outputs=(len(tensors) - 1,), **fields
    )
    main = Subgraph(index=0, name="", tensors=tensors, operators=(operator,), inputs=(), outputs=())
    return Graph(description="", subgraphs=(main,), buffers=(), metadata=())


@pytest.mark.parametrize(
    ("name", "inputs", "output", "expected"),
    [
        ("CONV_2D", [(1, 8, 8, 3), (16, 3, 5, 3), (16,)], (1, 4, 4, 16), 256 * 3 * 5 * 3),
        ("CONV_2D", [(1, 8, 8, 6), (4, 3, 3, 2), None], (1, 8, 8, 4), 256 * 3 * 3 * 2),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 3), (1, 3, 3, 6), (6,)], (1, 8, 8, 6), 384 * 9),
        ("TRANSPOSE_CONV", [(4,), (5, 3, 3, 2), (1, 4, 4, 2)], (1, 8, 8, 5), 32 * 9 * 5),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 8)], (1, 4, 4, 4, 8), 512 * 27 * 2),
        ("CONV_3D_TRANSPOSE", [(5,), (2, 2, 2, 8, 3), (1, 2, 2, 2, 3)], (1, 4, 4, 4, 8), 1536),
        ("FULLY_CONNECTED", [(1, 64), (10, 64), (10,)], (1, 10), 640),
        ("FULLY_CONNECTED", [(5, 7, 64), (10, 64), None], (5, 7, 10), 35 * 640),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), 2 * 3 * 5 * 4),
        ("SVDF", [(1, 40), (64, 40), (64, 10)], (1, 32), 64 * 50),
    ],
)
def test_formula(name, inputs, output, expected):
    (cost,) = costs(graph(name, inputs, output))
    assert cost.macs == expected


def test_matmul_of_a_transposed_matrix_sums_over_its_other_dimension():
    (cost,) = costs(graph("BATCH_MATMUL", [(4, 3), (4, 5)], (3, 5), options=(("adj_x", 1),)))
    assert cost.macs == 3 * 5 * 4


def test_lstm_multiplies_each_weight_once_a_step():
    weights = [(8, 4)] * 4 + [(8, 8)] * 4
    inputs = [(1, 10, 4), *weights]
    (cost,) = costs(graph("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (1, 10, 8)))
    assert cost.macs == 10 * (4 * 32 + 4 * 64)


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_an_operator_without_its_operands_is_not_known(name):
    found = graph(name, [(1,)], (1,))
    assert costs(found)[0].macs is None
    assert uncounted_operators(found) == (f"operator 0 {name} v1",)


def test_a_graph_that_runs_once_costs_later_invocations_nothing():
    found = macs(artifact(streaming(), Kind.FLOAT32))
    assert found.value == 12, "the dense layer's"


@pytest.mark.parametrize("name", ["CUSTOM", "WHILE", "IF", "RNN", "LSTM", "STABLEHLO_DOT_GENERAL"])
def test_an_operator_without_a_formula_is_not_counted_as_nothing(name):
    assert costs(graph(name, [(1, 4)], (1, 4)))[0].macs is None


def test_no_operator_is_both_free_and_costly():
    assert not WITHOUT_MACS & FORMULAS.keys()


@pytest.mark.parametrize("kind", Kind)
def test_quantizing_changes_no_multiply(kind):
    """The tiny network: 3x3 on 10x10x1, 3x3 depthwise, 64x4 dense and so on."""
    assert macs(tiny_artifact(kind)).value == macs(tiny_artifact(Kind.FLOAT32)).value


def test_limit_just_below_at_and_above():
    found = macs(tiny_artifact())
    exact = found.value
    outcomes = [(found <= limit).outcome.value for limit in (exact - 1, exact, exact + 1)]
    assert outcomes == ["fail", "pass", "pass"]


def test_a_custom_operator_stops_the_count_by_name():
    candidate = artifact(custom_operator(tiny(), "dense", "Mine"))
    with pytest.raises(MeasurementError, match=r"cannot be counted(.|\n)*CUSTOM v1"):
        macs(candidate)


def test_the_costliest_operator_is_named():
    assert "alone has" in macs(tiny_artifact()).evidence[0]


def test_options_are_read_off_the_file():
    depthwise = next(one for one in parse(tiny()).main.operators if one.name == "DEPTHWISE_CONV_2D")
    assert depthwise.option("stride_h", 0) == 1
    assert depthwise.option("depth_multiplier", 0) == 1
    assert depthwise.option("no such option", 7) == 7


def test_renamed_operator_of_the_tiny_network_is_named():
    found = renamed(parse(tiny()), 1, "RNN")
    assert uncounted_operators(found) == (f"operator 1 RNN v{found.main.operators[1].version}",)


def test_a_batch_in_the_file_counts():
    found = parse(tiny(Kind.FLOAT32))
    dense = next(one for one in found.main.operators if one.name == "FULLY_CONNECTED")
    output = found.main.tensors[dense.outputs[0]]
    doubled = altered(found, output.name, shape=(2, *output.shape[1:]))
    before, after = (costs(one)[dense.index].macs for one in (found, doubled))
    assert after == 2 * before

"""Which layers of two files belong together."""

from dataclasses import replace

import pytest
from graphs import altered, renamed

from litegate.measures.accuracy.layer_pairs import match_layers
from litegate.spec import Kind
from litegate.testing import tiny
from litegate.tflite.layers import keras_name
from litegate.tflite.parser import parse

FLOAT, INTEGER = parse(tiny(Kind.FLOAT32)), parse(tiny(Kind.INT8_QAT))


def named(found):
    return [(one.reference.output.name, one.candidate.output.name) for one in found]


def nameless(graph):
    bare = tuple(replace(one, name="") for one in graph.main.tensors)
    return replace(graph, subgraphs=(replace(graph.main, tensors=bare),))


def without(graph, number):
    """The graph without one operator; what read it is left to read nothing new."""
    left = tuple(one for one in graph.main.operators if one.index != number)
    return replace(graph, subgraphs=(replace(graph.main, operators=left),))


def twice(graph, number):
    """The graph with one operator in it a second time."""
    more = (*graph.main.operators, graph.main.operators[number])
    return replace(graph, subgraphs=(replace(graph.main, operators=more),))


def number(graph, kind):
    return next(one.index for one in graph.main.operators if one.name == kind)


def test_layers_of_one_name_belong_together():
    layers = ["conv", "depthwise"]
    assert [one for one in named(match_layers(FLOAT, INTEGER)) if one[0] in layers] == [
        (name, name) for name in layers
    ]


def test_layers_without_names_belong_together_by_kind_and_shape():
    found = match_layers(nameless(FLOAT), nameless(INTEGER))
    kinds = [(one.reference.operator.name, one.candidate.operator.name) for one in found]
    assert kinds == [(kind,) * 2 for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]


def test_a_layer_that_one_file_lacks_has_no_counterpart():
    found = match_layers(FLOAT, without(INTEGER, number(INTEGER, "DEPTHWISE_CONV_2D")))
    assert [one.reference.operator.name for one in found] == ["CONV_2D", "FULLY_CONNECTED"]


def test_a_layer_of_another_kind_is_no_counterpart():
    found = match_layers(FLOAT, renamed(INTEGER, number(INTEGER, "CONV_2D"), "TRANSPOSE_CONV"))
    assert [one.reference.operator.name for one in found] == [
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
    ]


def test_layers_that_could_be_either_are_left_out():
    """Two of one file, alike and without names, and one of the other."""
    double = twice(nameless(INTEGER), number(INTEGER, "CONV_2D"))
    found = match_layers(nameless(FLOAT), double)
    assert "CONV_2D" not in [one.reference.operator.name for one in found]


def test_an_output_of_another_shape_is_no_counterpart():
    found = match_layers(FLOAT, altered(INTEGER, "conv", shape=(1, 4, 4, 16)))
    assert next(one.candidate.output.name for one in found) == "depthwise"


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("model/conv2d_1/BiasAdd;model/conv2d_2/Conv2D;model/conv2d_1/Conv2D1", "conv2d_1"),
        ("sequential/quant_dense/MatMul;sequential/quant_dense/BiasAdd", "dense"),
        ("model/activation_2/Relu;model/add/add", "add"),
        ("net/bn/FusedBatchNormV3;net/conv/Conv2D", "conv"),
        ("StatefulPartitionedCall:0", ""),
        ("", ""),
        ("/", ""),
        (";;/;", ""),
    ],
)
def test_keras_names_are_read_out_of_the_tensors(tensor, layer):
    assert keras_name(tensor) == layer

"""Names of layers: those of Keras, of the signature, or of the tensors."""

from dataclasses import replace

import pytest

from litegate.spec import Kind
from litegate.testing import tiny
from litegate.tflite.graph import Signature
from litegate.tflite.layers import layer_names
from litegate.tflite.parser import parse

FLOAT, INTEGER = parse(tiny(Kind.FLOAT32)), parse(tiny(Kind.STATIC_WI8_AI8))
LAYERS = ("conv", "depthwise", "dense")


def names(graph):
    return tuple(layer_names(graph, graph.main).values())


def called(graph, tensors):
    """The graph with other names of its tensors."""
    changed = tuple(replace(it, name=tensors.get(it.name, it.name)) for it in graph.main.tensors)
    return replace(graph, subgraphs=(replace(graph.main, tensors=changed),))


@pytest.mark.parametrize("graph", [FLOAT, INTEGER])
def test_quantization_does_not_change_the_names(graph):
    assert names(graph) == LAYERS


@pytest.mark.parametrize("graph", [FLOAT, INTEGER])
def test_a_nameless_output_is_named_by_the_signature(graph):
    """Also through the DEQUANTIZE behind the last layer."""
    (output,) = graph.main.outputs
    signature = Signature(name="s", graph=0, inputs=(), outputs=((output, "scores"),))
    signed = replace(graph, signatures=(signature,))
    assert names(called(signed, {"dense": ""}))[-1] == "scores"


def test_a_layer_without_any_name_is_named_by_its_kind():
    assert names(called(FLOAT, {"dense": ""}))[-1] == "fully_connected"


def test_keras_layers_of_several_operators_have_one_name():
    tensors = {"conv": "net/block/Conv2D", "depthwise": "net/block/Relu", "dense": "net/out/MatMul"}
    assert names(called(FLOAT, tensors)) == ("block", "block", "out")


def test_operators_of_one_kind_are_told_apart_by_their_tensors():
    """As those of litert-torch, whose names have the network's where Keras has the layer's."""
    main = FLOAT.main
    first = main.operators[0]
    second = replace(first, index=len(main.operators), outputs=(main.operators[1].outputs[0],))
    twice = replace(FLOAT, subgraphs=(replace(main, operators=(first, second)),))
    tensors = {"conv": "net.Net/Conv2d_a;", "depthwise": "net.Net/Conv2d_b;"}
    assert names(called(twice, tensors)) == ("net.Net/Conv2d_a", "net.Net/Conv2d_b")

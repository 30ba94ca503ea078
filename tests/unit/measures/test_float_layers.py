"""Layers declared float: floats exactly there, and nowhere else."""

from dataclasses import replace

import pytest
from ai_edge_litert import schema_py_generated as schema

from litegate.core.errors import ArtifactError
from litegate.measures.structure.tensors import operator_violations, tensor_violations
from litegate.spec import Kind
from litegate.testing import artifact, custom_operator, edit, float_layer, round_trip, tiny
from litegate.tflite.parser import parse

MODEL = tiny(Kind.INT8_QAT)
PARTLY = float_layer(MODEL, "dense")


def broken(tflite, *layers):
    """The indices of the tensors and of the operators that break a promise."""
    made = artifact(tflite)
    made = replace(made, recipe=replace(made.recipe, float_layers=layers))
    return tuple(
        [sentence.split()[1] for sentence in measure(made).offenders]
        for measure in (tensor_violations, operator_violations)
    )


def sentences(tflite, *layers):
    made = artifact(tflite)
    made = replace(made, recipe=replace(made.recipe, float_layers=layers))
    return tensor_violations(made).offenders + operator_violations(made).offenders


def test_a_declared_layer_may_compute_in_floats():
    assert broken(PARTLY, "dense") == ([], [])
    assert broken(MODEL) == ([], [])


def test_undeclared_it_may_not():
    tensors, operators = broken(PARTLY)
    assert len(tensors) == 4
    assert len(operators) == 3


def test_the_wrapper_of_tfmot_is_the_layer_too():
    def wrap(model):
        for tensor in model.subgraphs[0].tensors:
            tensor.name = tensor.name.replace(b"dense", b"net/quant_dense/MatMul;x/BiasAdd")

    assert broken(edit(PARTLY, wrap), "dense") == ([], [])


@pytest.mark.parametrize("name", ["den", "dens", "dense_1", "quant"])
def test_a_name_that_only_begins_alike_is_another_layer(name):
    assert broken(PARTLY, name) == broken(PARTLY)


def test_another_layer_may_not_compute_in_floats():
    both = float_layer(PARTLY, "conv")
    tensors, operators = broken(both, "dense")
    assert len(tensors) == 4
    assert len(operators) == 3
    assert broken(both, "dense", "conv") == ([], [])


def test_a_declared_layer_that_is_integer_is_told():
    found = sentences(MODEL, "dense")
    assert [one.partition("; ")[2] for one in found] == [
        *["expected float32"] * 2,
        "expected float32 or int32 or int64 or bool",
        "its layer is declared float",
    ]
    assert "FULLY_CONNECTED v4 computes in integers: int8 'flat'" in found[-1]


def test_an_island_before_a_declared_layer_is_told():
    """A way through floats and back that ends at the declared layer belongs to nobody."""
    found = sentences(round_trip(PARTLY, "conv"), "dense")
    assert {one.split()[2] for one in found if one.startswith("operator")} == {
        "DEQUANTIZE",
        "QUANTIZE",
    }


def test_a_custom_operator_is_told_in_a_declared_layer_too():
    found = sentences(custom_operator(MODEL, "flat", "FlexErf"), "flat")
    assert sum("is the Flex operator FlexErf" in one for one in found) == 1


def test_an_output_is_known_by_its_name_in_the_signature():
    """The converter takes the path from the name of an output of the graph."""

    def conclude(model, name=b"dense"):
        graph = model.subgraphs[0]
        last = next(op for op in graph.operators if graph.outputs[0] in op.outputs)
        graph.operators.remove(last)
        last = next(op for op in reversed(graph.operators) if op.inputs[0] != op.outputs[0])
        graph.operators.remove(last)
        graph.outputs = [last.inputs[0]]
        graph.tensors[graph.outputs[0]].name = b"StatefulPartitionedCall:0"
        signed = schema.TensorMapT(name=name, tensorIndex=graph.outputs[0])
        model.signatureDefs = [schema.SignatureDefT(inputs=[], outputs=[signed], subgraphIndex=0)]

    assert broken(edit(PARTLY, conclude), "dense")[1] == []
    other = edit(PARTLY, lambda model: conclude(model, b"other"))
    assert broken(other, "dense")[1]


def test_a_signature_that_points_outside_is_refused():
    def damage(model):
        signed = schema.TensorMapT(name=b"dense", tensorIndex=1000)
        model.signatureDefs = [schema.SignatureDefT(inputs=[], outputs=[signed], subgraphIndex=0)]

    with pytest.raises(ArtifactError, match="is not a valid") as raised:
        parse(edit(MODEL, damage))
    assert "signature's output dense is number 1000" in raised.value.got

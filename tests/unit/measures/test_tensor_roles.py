"""Roles: what each tensor of a graph is for."""

from dataclasses import replace

import pytest
from recurrent import lstm, sparse_dense, svdf

from litegate.measures.structure.tensor_roles import Role, layer_uses, roles
from litegate.spec import Kind
from litegate.testing import Draft, edit, tiny
from litegate.tflite.graph import ABSENT, Operator, Subgraph, Tensor
from litegate.tflite.parser import parse


def named_roles(tflite):
    main = parse(tflite).main
    return {tensor.name: role for tensor, role in zip(main.tensors, roles(main), strict=True)}


def make(names, operators, *, inputs=(0,), outputs=(), index=0):
    """A graph by hand: tensors as "name:dtype", "!" for a constant; operators as name, in, out."""
    tensors = []
    for number, text in enumerate(names):
        name, dtype = text.removesuffix("!").split(":")
        size = 4 * text.endswith("!")
        tensors.append(
            Tensor(
                index=number, name=name, dtype=dtype, shape=(1,), shape_signature=(1,), nbytes=size
            )
        )
    steps = [
        Operator(index=number, name=name, version=1, inputs=read, outputs=written)
        for number, (name, read, written) in enumerate(operators)
    ]
    return Subgraph(
        index=index,
        name="main",
        tensors=tuple(tensors),
        operators=tuple(steps),
        inputs=inputs,
        outputs=outputs,
    )


def test_every_tensor_of_an_int8_model_has_its_role():
    """Ports, learned constants, activations, and the arithmetic of a free batch."""
    found = named_roles(tiny(Kind.INT8_QAT))
    for name in ("conv", "depthwise", "dense"):
        assert found.pop(f"{name}/weight") is Role.WEIGHT
        assert found.pop(f"{name}/bias") is Role.BIAS
        assert found.pop(name) is Role.ACTIVATION
    assert found == {
        "input": Role.INPUT,
        "input/quantized": Role.ACTIVATION,
        "flat": Role.ACTIVATION,
        "flat/input_shape": Role.CONSTANT,
        "flat/first": Role.CONSTANT,
        "flat/last": Role.CONSTANT,
        "flat/batch": Role.CONSTANT,
        "flat/features": Role.CONSTANT,
        "flat/shape": Role.CONSTANT,
        "output": Role.OUTPUT,
    }


def test_an_int8_port_is_a_port_and_no_activation():
    """Without QUANTIZE and DEQUANTIZE the inner tensors are the ports themselves."""
    found = named_roles(tiny(Kind.INT8_QAT, input_type="int8", output_type="int8"))
    assert (found["input"], found["dense"]) == (Role.INPUT, Role.OUTPUT)


def test_a_weight_is_found_behind_its_dequantize():
    """float16 files unpack their weights: the packed constant is the weight."""
    found = named_roles(tiny(Kind.FLOAT16))
    assert found["dense/weight"] is Role.WEIGHT
    assert found["dense/bias"] is Role.BIAS
    assert found["dense/weight/unpacked"] is Role.ACTIVATION


@pytest.mark.parametrize("constant", [0, 1])
def test_either_operand_of_a_batch_matmul_may_be_the_weight(constant):
    """A product has no fixed side for what was learned; two activations have no weight."""
    names = ["x:int8", "w:int8!", "y:int8"]
    read = (1, 0) if constant == 0 else (0, 1)
    graph = make(names, [("BATCH_MATMUL", read, (2,))], outputs=(2,))
    assert roles(graph)[1] is Role.WEIGHT
    without = make(["x:int8", "z:int8", "y:int8"], [("BATCH_MATMUL", (0, 1), (2,))], inputs=(0, 1))
    assert Role.WEIGHT not in roles(without)


@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D"])
def test_a_layer_reads_its_weight_second_and_its_bias_third(name):
    """Operand 0 is the data."""
    graph = make(
        ["x:int8", "w:int8!", "b:int32!", "y:int8"], [(name, (0, 1, 2), (3,))], outputs=(3,)
    )
    assert roles(graph) == (Role.INPUT, Role.WEIGHT, Role.BIAS, Role.OUTPUT)
    (use,) = layer_uses(graph)
    assert use.data is graph.tensors[0]


@pytest.mark.parametrize("name", ["TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"])
def test_a_transposed_convolution_reads_its_weight_second_and_its_data_third(name):
    """Operand 0 is the output's shape, operand 3 the bias."""
    names = ["x:int8", "shape:int32!", "w:int8!", "b:int32!", "y:int8"]
    graph = make(names, [(name, (1, 2, 0, 3), (4,))], outputs=(4,))
    assert roles(graph) == (Role.INPUT, Role.CONSTANT, Role.WEIGHT, Role.BIAS, Role.OUTPUT)
    (use,) = layer_uses(graph)
    assert use.data is graph.tensors[0]


def test_a_computed_operand_is_no_weight():
    """Attention multiplies activations by activations."""
    names = ["x:int8", "z:int8", "y:int8"]
    steps = [("RELU", (0,), (1,)), ("FULLY_CONNECTED", (0, 1, ABSENT), (2,))]
    graph = make(names, steps, outputs=(2,))
    assert roles(graph)[1] is Role.ACTIVATION
    assert layer_uses(graph)[0].weights == ()


def test_a_left_out_bias_is_no_bias():
    """ABSENT is not the last tensor of the list."""
    names = ["x:int8", "w:int8!", "y:int8", "last:int32!"]
    graph = make(names, [("FULLY_CONNECTED", (0, 1, ABSENT), (2,))], outputs=(2,))
    assert roles(graph)[3] is Role.CONSTANT
    assert layer_uses(graph)[0].biases == ()


def test_integers_computed_from_activations_are_activations():
    """Only what comes from shapes and constants alone is shape arithmetic."""
    names = ["x:int8", "cast:int32", "one:int32!", "sum:int32", "y:int32"]
    steps = [("CAST", (0,), (1,)), ("ADD", (1, 2), (3,)), ("NEG", (3,), (4,))]
    assert roles(make(names, steps, outputs=(4,)))[1:4] == (
        Role.ACTIVATION,
        Role.CONSTANT,
        Role.ACTIVATION,
    )


def test_floats_computed_from_shapes_are_activations():
    """Shape arithmetic is integer; a size cast to float is a float like any other."""
    names = ["x:int8", "shape:int32", "size:float32", "y:int8"]
    steps = [("SHAPE", (0,), (1,)), ("CAST", (1,), (2,)), ("FILL", (1, 2), (3,))]
    assert roles(make(names, steps, outputs=(3,)))[1:3] == (Role.CONSTANT, Role.ACTIVATION)


def test_a_float_that_is_read_for_its_shape_alone_is_shape():
    """What a DEQUANTIZE gives to SHAPE and to nobody else never has its values looked at."""
    names = ["x:int8", "float:float32", "shape:int32", "y:int8"]
    steps = [("DEQUANTIZE", (0,), (1,)), ("SHAPE", (1,), (2,)), ("RESHAPE", (0, 2), (3,))]
    assert roles(make(names, steps, outputs=(3,)))[1] is Role.CONSTANT
    also_read = [*steps[:2], ("RESHAPE", (1, 2), (3,))]
    assert roles(make(names, also_read, outputs=(3,)))[1] is Role.ACTIVATION
    given_away = make(names, steps, outputs=(1, 3), index=1)
    assert roles(given_away)[1] is Role.ACTIVATION


def test_ports_of_inner_graphs_are_activations():
    """The inputs and outputs of a loop's body are not the model's."""
    graph = make(["x:int8", "y:int8"], [("RELU", (0,), (1,))], outputs=(1,))
    assert roles(graph) == (Role.INPUT, Role.OUTPUT)
    assert roles(replace(graph, index=1)) == (Role.ACTIVATION, Role.ACTIVATION)


def test_a_shared_weight_is_used_by_each_of_its_readers():
    """Two dense layers on one weight are two uses."""

    def change(model):
        draft = Draft(model)
        layer = draft.graph.operators[-2]
        twin = draft.step("RELU", 0, draft.beside(draft.index("dense"), "/twin"))
        twin.inputs, twin.opcodeIndex = list(layer.inputs), layer.opcodeIndex
        draft.graph.operators.append(twin)

    weights = [use.weights[0].name for use in layer_uses(parse(edit(tiny(), change)).main)]
    assert weights == ["conv/weight", "depthwise/weight", "dense/weight", "dense/weight"]


def test_an_lstm_has_weights_biases_and_state():
    found = named_roles(lstm())
    gates = [f"{kind}/{gate}" for kind in ("input", "recurrent") for gate in range(4)]
    assert [found.pop(name) for name in gates] == [Role.WEIGHT] * 8
    assert [found.pop(f"bias/{gate}") for gate in range(4)] == [Role.BIAS] * 4
    assert (found.pop("hidden"), found.pop("cell")) == (Role.STATE, Role.STATE)
    assert (found.pop("x"), found.pop("y")) == (Role.INPUT, Role.OUTPUT)
    assert set(found.values()) == {Role.CONSTANT}, "intermediates have no values"


def test_an_svdf_has_two_weights_and_a_state():
    found = named_roles(svdf())
    learned = {name: found[name] for name in ("feature", "time", "bias", "memory")}
    assert list(learned.values()) == [Role.WEIGHT, Role.WEIGHT, Role.BIAS, Role.STATE]


def test_a_sparse_weight_is_found_behind_its_densify():
    assert named_roles(sparse_dense())["packed"] is Role.WEIGHT


@pytest.mark.parametrize(
    ("name", "operands", "weights", "biases"),
    [
        ("LSTM", 5, {2}, {3}),
        ("LSTM", 24, {*range(1, 12), 16, *range(20, 24)}, {*range(12, 16), 17}),
        ("UNIDIRECTIONAL_SEQUENCE_RNN", 5, {1, 2}, {3}),
        ("BIDIRECTIONAL_SEQUENCE_RNN", 12, {1, 2, 5, 6, 10, 11}, {3, 7}),
    ],
)
def test_operands_of_recurrent_layers(name, operands, weights, biases):
    """The numbers in LiteRT's kernels; here every operand is a constant."""
    names = [f"t{number}:float32!" for number in range(operands)]
    graph = make([*names, "y:float32"], [(name, tuple(range(operands)), (operands,))], inputs=())
    found = roles(graph)
    assert {n for n, role in enumerate(found) if role is Role.WEIGHT} == weights
    assert {n for n, role in enumerate(found) if role is Role.BIAS} == biases


def test_the_handle_of_a_variable_is_state():
    graph = make(["handle:resource", "y:int8"], [("VAR_HANDLE", (), (0,))], inputs=(), outputs=(1,))
    assert roles(graph)[0] is Role.STATE

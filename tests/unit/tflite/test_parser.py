"""Reading a `.tflite`: what it says of a sound file, and that damage is refused."""

import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from compiled import old_bias, vela
from graphs import tensor
from recurrent import half_lstm

from litegate.core.errors import ArtifactError
from litegate.spec import Kind
from litegate.testing import Draft, custom_operator, edit, pad, tiny
from litegate.tflite.graph import ABSENT
from litegate.tflite.parser import parse

WORDS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@pytest.fixture(scope="module")
def tflite():
    return tiny(Kind.INT8_QAT)


def operators(graph):
    return [(one.name, one.version, one.activation) for one in graph.main.operators]


def test_operators_come_with_version_and_activation(tflite):
    """Names, versions and fused activations, in the order of execution."""
    assert operators(parse(tflite)) == [
        ("QUANTIZE", 1, "NONE"),
        ("CONV_2D", 3, "RELU"),
        ("DEPTHWISE_CONV_2D", 3, "RELU"),
        ("SHAPE", 1, "NONE"),
        ("STRIDED_SLICE", 1, "NONE"),
        ("PACK", 1, "NONE"),
        ("RESHAPE", 1, "NONE"),
        ("FULLY_CONNECTED", 4, "NONE"),
        ("DEQUANTIZE", 2, "NONE"),
    ]


def test_operators_name_the_tensors_that_they_read_and_write(tflite):
    """Indices lead to the tensors of the convolution."""
    graph = parse(tflite)
    conv = graph.main.operators[1]
    read = [graph.main.tensors[index].name for index in conv.inputs]
    assert read == ["input/quantized", "conv/weight", "conv/bias"]
    assert [graph.main.tensors[index].name for index in conv.outputs] == ["conv"]


def test_a_weight_comes_with_its_quantization_and_bytes(tflite):
    """Four channels of nine: four scales along dimension 3, 36 bytes of the file."""
    graph = parse(tflite)
    weight = tensor(graph, "depthwise/weight")
    assert (weight.dtype, weight.shape, weight.quantized_dimension) == ("int8", (1, 3, 3, 4), 3)
    assert len(weight.scales) == 4
    assert weight.zero_points == (0, 0, 0, 0)
    assert weight.nbytes == graph.buffers[weight.buffer].size == 36
    assert weight.is_constant


def test_buffers_give_the_values_that_were_stored(tflite):
    """The bytes behind "flat/features" are the number 256."""
    graph = parse(tflite)
    stored = graph.buffers[tensor(graph, "flat/features").buffer].data
    assert np.frombuffer(stored, np.int32) == [256]
    assert stored.readonly


def test_a_computed_tensor_has_no_bytes_and_a_free_batch(tflite):
    """An activation is not in the file; its signature keeps the -1 that its shape loses."""
    conv = tensor(parse(tflite), "conv")
    assert (conv.shape, conv.shape_signature) == ((1, 8, 8, 4), (-1, 8, 8, 4))
    assert not conv.is_constant
    assert conv.nbytes == 0


def test_ports_and_description(tflite):
    """What the model takes, what it gives and what its writer called it."""
    graph = parse(tflite)
    assert [graph.main.tensors[index].name for index in graph.main.inputs] == ["input"]
    assert [graph.main.tensors[index].name for index in graph.main.outputs] == ["output"]
    assert graph.description == "tiny int8_qat"


def test_metadata_names_a_buffer(tflite):
    """A named buffer beside the tensors' own."""

    def change(model):
        model.buffers.append(schema.BufferT(data=np.frombuffer(b"1.14.0", np.uint8)))
        entry = schema.MetadataT(name="min_runtime_version", buffer=len(model.buffers) - 1)
        model.metadata = [entry]

    graph = parse(edit(tflite, change))
    (entry,) = graph.metadata
    assert entry.name == "min_runtime_version"
    assert bytes(graph.buffers[entry.buffer].data) == b"1.14.0"


def test_a_custom_operator_keeps_its_name(tflite):
    """CUSTOM, with the name that its author gave it."""
    (found,) = [
        one
        for one in parse(custom_operator(tflite, "flat", "FlexErf")).main.operators
        if one.custom_code
    ]
    assert (found.name, found.custom_code) == ("CUSTOM", "FlexErf")


@pytest.mark.parametrize("name", ["BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "GELU"])
def test_operators_added_late_keep_their_names(tflite, name):
    """Numbers above 127 do not fit the field that older files have: 126, 127 and 150."""

    def change(model):
        draft = Draft(model)
        number = getattr(schema.BuiltinOperator, name)
        draft.graph.operators[6].opcodeIndex = draft.code(number, 2)

    found = parse(edit(tflite, change)).main.operators[6]
    assert (found.name, found.version) == (name, 2)


def test_an_operator_code_of_an_older_file_is_read(tflite):
    """Before 2020 there was one field, of eight bits."""

    def change(model):
        for code in model.operatorCodes:
            code.builtinCode = 0

    assert operators(parse(edit(tflite, change))) == operators(parse(tflite))


def test_a_tensor_without_elements_needs_no_bytes(tflite):
    """An empty constant, such as the shape of a scalar, is as good as stored."""

    def change(model):
        empty = Draft(model).tensor("flat/first")
        empty.shape, empty.shapeSignature = [0], [0]
        model.buffers[empty.buffer].data = None

    assert tensor(parse(edit(tflite, change)), "flat/first").shape == (0,)


def test_an_absent_input_stays_in_its_place(tflite):
    """A dense layer without bias reads ABSENT where the bias would be."""

    def change(model):
        layer = Draft(model).graph.operators[-2]
        layer.inputs = [*layer.inputs[:2], ABSENT]

    assert parse(edit(tflite, change)).main.operators[-2].inputs[2] == ABSENT


def test_every_subgraph_is_read(tflite):
    """A second graph keeps its own tensors; the first one is the main one."""

    def change(model):
        model.subgraphs.append(model.subgraphs[0])

    graph = parse(edit(tflite, change))
    assert [one.index for one in graph.subgraphs] == [0, 1]
    assert len(graph.subgraphs[1].tensors) == len(graph.main.tensors)
    assert graph.main is graph.subgraphs[0]


def test_a_variable_tensor_needs_no_writer(tflite):
    """State that lives on between invocations is read before anything writes it."""

    def change(model):
        Draft(model).tensor("input/quantized").isVariable = True
        del model.subgraphs[0].operators[0]

    assert tensor(parse(edit(tflite, change)), "input/quantized").is_variable


def test_a_name_that_is_no_text_is_shown_escaped(tflite):
    """Bytes that are not UTF-8 do not hide the tensor that bears them."""
    assert tensor(parse(tflite.replace(b"conv/bias", b"conv\xff\xfeias")), "conv\\xff\\xfeias")


def test_bytes_after_the_file_change_nothing(tflite):
    """Padding is the size's matter."""
    assert parse(pad(tflite, 1000)) == parse(tflite)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.DYNAMIC_WI4B32_AFP32])
def test_tensors_agree_with_the_interpreter(kind):
    """LiteRT's own details are the second witness; they have no scales of blocks."""
    compare_with_interpreter(tiny(kind))


@pytest.mark.parametrize("name", ["ad01_float32", "ad01_int8", "resnet8_float32", "resnet8_int8"])
def test_real_files_agree_with_the_interpreter(data_directory, name):
    """The same for files that TensorFlow's converter wrote."""
    compare_with_interpreter((data_directory / "mlperf_tiny" / f"{name}.tflite").read_bytes())


def compare_with_interpreter(content):
    found = parse(content)
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    assert len(found.main.tensors) > 10
    for one in found.main.tensors:
        other = details[one.index]
        steps = other["quantization_parameters"]
        assert one.name == other["name"]
        # The interpreter has no NumPy type for four bits.
        assert one.dtype.replace("int4", "int8") == np.dtype(other["dtype"]).name
        assert one.shape == tuple(other["shape"])
        assert one.shape_signature == tuple(other["shape_signature"])
        assert one.scales == tuple(steps["scales"].tolist())
        assert one.zero_points == tuple(steps["zero_points"].tolist())
        assert one.quantized_dimension == steps["quantized_dimension"]
    names = [one["op_name"] for one in interpreter._get_ops_details()]
    assert [one.name for one in found.main.operators] == names


def test_weights_kept_behind_the_flatbuffer_are_read(tflite):
    """Files beyond 2 GB keep their buffers after the table, by offset and size."""
    values = bytes(range(36))

    def change(model):
        weight = model.buffers[Draft(model).tensor("conv/weight").buffer]
        weight.data, weight.offset, weight.size = None, 5000, 36

    moved = edit(tflite, change)
    file = moved + bytes(5000 - len(moved)) + values
    graph = parse(file)
    assert bytes(graph.buffers[tensor(graph, "conv/weight").buffer].data) == values
    with pytest.raises(ArtifactError, match="a buffer is outside the file"):
        parse(file[:-1])


def test_importing_the_reader_loads_neither_numpy_nor_litert():
    """Both come with the first file that is parsed."""
    code = (
        "import sys, litegate.tflite.parser; "
        "print([name for name in ('numpy', 'ai_edge_litert', 'tensorflow') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("fast", [False, True])
def test_a_file_that_vela_compiled_is_read(fast):
    """Nothing writes its scratch tensors; of another custom operator they would be damage."""
    graph = parse(vela(fast=fast))
    assert graph.is_compiled
    assert [tensor.name for tensor in graph.main.tensors][2:-2] == ["scratch", "scratch_fast"][
        : 1 + fast
    ]
    with pytest.raises(ArtifactError, match="operator 0 reads a tensor that no operator wrote"):
        parse(vela("mine", fast=fast))


def test_a_variable_may_begin_with_a_packed_constant():
    """TensorFlow's float16 LSTM has its state behind a DEQUANTIZE."""
    graph = parse(half_lstm())
    assert [tensor.name for tensor in graph.main.tensors if tensor.is_variable] == [
        "hidden",
        "cell",
    ]


def test_a_file_that_litert_alone_refuses_is_not_called_unsound():
    """Its bias names a dimension that it lacks, and TensorFlow Lite Micro runs it."""
    with pytest.raises(ArtifactError, match="LiteRT does not load the model") as raised:
        parse(old_bias())
    assert raised.value.got == "quantized dimension of tensor 2 is number 3 of 1"
    assert "other runtimes may run this file" in str(raised.value)


def test_bytes_in_buffer_0_are_of_no_tensor():
    """LiteRT runs such a file; tensors that are computed refer to buffer 0."""

    def fill(model):
        model.buffers[0].data = np.arange(99, dtype=np.uint8)

    tensors = parse(edit(tiny(), fill)).main.tensors
    assert {one.nbytes for one in tensors if not one.buffer} == {0}
    assert [one.is_constant for one in tensors] == [
        one.is_constant for one in parse(tiny()).main.tensors
    ]

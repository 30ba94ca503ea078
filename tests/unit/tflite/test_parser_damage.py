"""Reading a damaged `.tflite`: refusal in words, never another error, a hang or a flood."""

import math
import random

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from graphs import tensor

from litegate.core.errors import ArtifactError
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.tensors import tensor_breaches
from litegate.spec import Kind, Recipe
from litegate.testing import Draft, edit, tiny
from litegate.tflite.editing.draft import dtype_of
from litegate.tflite.graph import ABSENT, Graph
from litegate.tflite.parser import parse

WORDS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@pytest.fixture(scope="module")
def tflite():
    return tiny(Kind.INT8_QAT)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no bytes at all"),
        (b"TFL3", "no identifier TFL3"),
        (b"\xff\xff\xff\x7fTFL3", "is outside the file"),
        (b"\x08\0\0\0TFL", "no identifier TFL3"),
        (b"PK\x03\x04" + bytes(60), "no identifier TFL3"),
    ],
)
def test_what_is_no_tflite_file_is_refused(content, reason):
    """Nothing, nearly nothing, and a file of another kind."""
    with pytest.raises(ArtifactError, match=reason):
        parse(content)


def test_the_refusal_names_the_model(tflite):
    """Whose file it is, how long it is and what to do."""
    with pytest.raises(ArtifactError, match=r"mnist_cnn/int8_qat .* \(100 bytes\)") as caught:
        parse(tflite[:100], subject="mnist_cnn/int8_qat")
    assert "build or download it again" in str(caught.value)


def test_a_truncated_file_is_refused_wherever_it_ends(tflite):
    """Every prefix misses something."""
    for end in range(len(tflite)):
        with pytest.raises(ArtifactError):
            parse(tflite[:end])


def set_version(model):
    model.version = 4


def no_graph(model):
    model.subgraphs = []


def unknown_type(model):
    Draft(model).tensor("conv").type = 99


def unknown_operator(model):
    model.operatorCodes[1].builtinCode = 9999


def unknown_activation(model):
    Draft(model).graph.operators[1].builtinOptions.fusedActivationFunction = 77


def missing_buffer(model):
    Draft(model).tensor("conv/weight").buffer = 999


def missing_metadata_buffer(model):
    model.metadata = [schema.MetadataT(name="note", buffer=999)]


def missing_operator_code(model):
    Draft(model).graph.operators[1].opcodeIndex = 999


def missing_tensor(model):
    Draft(model).graph.operators[1].inputs = [0, 1, 999]


def negative_tensor(model):
    Draft(model).graph.operators[1].outputs = [-2]


def missing_input(model):
    Draft(model).graph.inputs = [ABSENT]


def missing_output(model):
    Draft(model).graph.outputs = [999]


def unwritten_input(model):
    del Draft(model).graph.operators[1]


def unwritten_output(model):
    del Draft(model).graph.operators[-1]


def variable_input(model):
    Draft(model).tensor("input").isVariable = True


def variable_output(model):
    Draft(model).tensor("output").isVariable = True


def computed_variable(model):
    """Only a constant behind a DEQUANTIZE may give a variable its first values."""
    draft = Draft(model)
    draft.tensor("output").isVariable = True
    draft.graph.outputs = [draft.index("dense")]
    assert draft.builtin(draft.graph.operators[-1]) == schema.BuiltinOperator.DEQUANTIZE


def constant_input(model):
    fill(model, "input")


def constant_output(model):
    fill(model, "dense")


def unpacked_output(model):
    """The last operator reads a constant, in place of the layer before it."""
    draft = Draft(model)
    draft.graph.operators[-1].inputs = [draft.index("dense/weight")]


def fill(model, name):
    """Give a tensor values, as many bytes as its shape needs."""
    tensor = Draft(model).tensor(name)
    size = np.dtype(dtype_of(tensor)).itemsize * math.prod(tensor.shape)
    model.buffers.append(schema.BufferT(data=np.zeros(size, np.uint8)))
    tensor.buffer = len(model.buffers) - 1


def too_few_zero_points(model):
    Draft(model).tensor("conv/weight").quantization.zeroPoint = [0]


def too_many_scales(model):
    steps = Draft(model).tensor("conv/weight").quantization
    steps.scale, steps.zeroPoint = [0.1] * 5, [0] * 5


def no_such_dimension(model):
    Draft(model).tensor("conv/weight").quantization.quantizedDimension = 4


def missing_block_scales(model):
    Draft(model).tensor("conv/weight").quantization = schema.QuantizationParametersT(
        detailsType=schema.QuantizationDetails.BlockwiseQuantization,
        details=schema.BlockwiseQuantizationT(scales=999, blockSize=32),
    )


def negative_shape(model):
    Draft(model).tensor("conv").shape = [1, -8, 8, 4]


def endless_shape(model):
    Draft(model).tensor("conv").shape = [1] * 65


def too_few_bytes(model):
    weight = model.buffers[Draft(model).tensor("conv/weight").buffer]
    weight.data = weight.data[:-1]


def too_many_bytes(model):
    flag = Draft(model).tensor("flat/first")
    flag.type = schema.TensorType.BOOL
    model.buffers[flag.buffer].data = np.zeros(2, np.uint8)


def half_a_byte_short(model):
    weight = Draft(model).tensor("conv/weight")
    weight.type, weight.quantization = schema.TensorType.INT4, None
    weight.shape = weight.shapeSignature = [5, 7]
    model.buffers[weight.buffer].data = np.zeros(17, np.uint8)


def other_file(model):
    model.externalBuffers = [schema.ExternalBufferT(id=1)]


def missing_graph(model):
    once = schema.CallOnceOptionsT(initSubgraphIndex=9)
    operator = schema.OperatorT(
        opcodeIndex=Draft(model).code(schema.BuiltinOperator.CALL_ONCE, 1),
        builtinOptionsType=schema.BuiltinOptions.CallOnceOptions,
        builtinOptions=once,
    )
    Draft(model).graph.operators.insert(0, operator)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_version, "schema version 4, expected 3"),
        (no_graph, "it contains no graph"),
        (unknown_type, r"type of tensor \d+ has number 99"),
        (unknown_operator, "an operator has number 9999"),
        (unknown_activation, "a fused activation has number 77"),
        (missing_buffer, r"buffer of tensor \d+ is number 999 of"),
        (missing_metadata_buffer, "buffer of note is number 999 of"),
        (missing_operator_code, "kind of operator 1 is number 999 of"),
        (missing_tensor, "input of operator 1 is number 999 of"),
        (negative_tensor, "output of operator 1 is number -2 of"),
        (missing_input, "input of graph 0 is number -1 of"),
        (missing_output, "output of graph 0 is number 999 of"),
        (unwritten_input, "operator 1 reads a tensor that no operator wrote before"),
        (unwritten_output, "graph 0 has an output that no operator writes"),
        (variable_input, r"tensor \d+ is a variable, but is also an input or computed"),
        (variable_output, r"tensor \d+ is a variable, but is also an input or computed"),
        (computed_variable, r"tensor \d+ is a variable, but is also an input or computed"),
        (constant_input, r"tensor \d+ is a constant, but is also an input or computed"),
        (constant_output, r"tensor \d+ is a constant, but is also an input or computed"),
        (unpacked_output, r"output \d+ is a constant that operator \d+, DEQUANTIZE, unpacks"),
        (too_few_zero_points, r"tensor \d+ has 4 scales and 1 zero points"),
        (too_many_scales, r"tensor \d+ has 5 scales for 4 channels"),
        (no_such_dimension, r"quantized dimension of tensor \d+ is number 4 of 4"),
        (missing_block_scales, r"scales of tensor \d+ is number 999 of"),
        (negative_shape, r"tensor \d+ has the shape \(1, -8, 8, 4\)"),
        (endless_shape, r"tensor \d+ has 65 dimensions"),
        (too_few_bytes, r"tensor \d+ has 35 bytes, but its shape needs 36"),
        (too_many_bytes, r"tensor \d+ has 2 bytes, but its shape needs 1"),
        (half_a_byte_short, r"tensor \d+ has 17 bytes, but its shape needs 18"),
        (missing_graph, "graph of operator 0 is number 9 of 1"),
        (other_file, "it stores weights in another file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_contradicts_itself_is_refused(tflite, change, reason):
    """One index, count or number out of bounds, named where it stands."""
    with pytest.raises(ArtifactError, match=reason):
        parse(edit(tflite, change))


@pytest.mark.parametrize(("dimension", "count"), [(0, 1), (1, 3)])
def test_a_hybrid_depthwise_convolution_has_a_scale_for_each_channel(dimension, count):
    """LiteRT counts the scales along the file's dimension, and reads one for each of 4 channels."""

    def merge(draft: Draft) -> None:
        quantization = next(
            tensor.quantization
            for tensor in draft.graph.tensors
            if tensor.name == b"depthwise/weight"
        )
        quantization.quantizedDimension = dimension
        quantization.scale = [quantization.scale[0]] * count
        quantization.zeroPoint = [0] * count

    sound = tiny(Kind.DYNAMIC_WI8_AFP32)
    assert len(tensor(parse(sound), "depthwise/weight").scales) == 4
    with pytest.raises(ArtifactError) as refused:
        parse(edit(sound, lambda model: merge(Draft(model))))
    assert refused.value.got == f"operator 1, DEPTHWISE_CONV_2D, has {count} of 4 scales"


def test_a_depthwise_convolution_of_no_tensor_is_read():
    """A graph may have no tensors, and an operator may omit its operands: LiteRT refuses it."""

    def omit(model):
        graph, operator = model.subgraphs[0], model.subgraphs[0].operators[1]
        operator.inputs, operator.outputs = [ABSENT, ABSENT], [ABSENT]
        graph.operators, graph.tensors, graph.inputs, graph.outputs = [operator], [], [], []
        model.signatureDefs = []

    assert parse(edit(tiny(Kind.DYNAMIC_WI8_AFP32), omit)).main.tensors == ()


def test_a_name_that_runs_past_the_end_is_refused(tflite):
    """The reader beneath would cut it short in silence."""
    start = tflite.index(b"conv/bias") - 4
    length = len(tflite).to_bytes(4, "little")
    with pytest.raises(ArtifactError, match="a name runs past the end of the file"):
        parse(tflite[:start] + length + tflite[start + 4 :])


def test_sixty_four_dimensions_are_still_read(tflite):
    """The boundary of what is called endless."""

    def change(model):
        tensor = Draft(model).tensor("conv")
        tensor.shape = tensor.shapeSignature = [1] * 64

    assert len(tensor(parse(edit(tflite, change)), "conv").shape) == 64


@pytest.mark.parametrize(
    "shares",
    [
        {"tensors": 10_000, "sizes": 60},
        {"tensors": 10_000, "name": "x" * 20_000},
        {"tensors": 500, "sizes": 0, "name": "", "subgraphs": 500},
    ],
    ids=("shapes", "names", "graphs"),
)
def test_tables_that_share_their_vectors_cannot_multiply(shares):
    """A file that holds many times what it is long is refused before that is read."""
    with pytest.raises(ArtifactError, match="are larger than the file"):
        parse(shared(**shares))


def test_a_shared_vector_alone_is_no_fault():
    """Two tensors may have one shape and one name."""
    assert len(parse(shared(tensors=2, sizes=3)).main.tensors) == 2


def shared(tensors, sizes=1, name="one", subgraphs=1):
    """A file whose vectors hold one table many times over."""
    builder = flatbuffers.Builder(1024)
    schema.TensorStartShapeVector(builder, sizes)
    for _ in range(sizes):
        builder.PrependInt32(1)
    shape, named = builder.EndVector(), builder.CreateString(name)
    schema.TensorStart(builder)
    schema.TensorAddShape(builder, shape)
    schema.TensorAddName(builder, named)
    listed = repeated(builder, schema.TensorEnd(builder), tensors)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, listed)
    graphs = repeated(builder, schema.SubGraphEnd(builder), subgraphs)
    schema.BufferStart(builder)
    buffers = repeated(builder, schema.BufferEnd(builder), 1)
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def repeated(builder, table, times):
    builder.StartVector(4, times, 4)
    for _ in range(times):
        builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def flip(content, rng):
    """Turn between one and 64 bits."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(content, rng):
    """Put an extreme or a random number over one aligned word: lengths, offsets, indices."""
    changed = bytearray(content)
    start = rng.randrange(0, len(changed) - 4, 4)
    number = rng.choice((*WORDS, len(content) // 4, rng.getrandbits(32)))
    changed[start : start + 4] = number.to_bytes(4, "little")
    return bytes(changed)


def transplant(content, rng):
    """Copy a piece of the file over another, so that offsets lead astray."""
    changed = bytearray(content)
    source, target = (rng.randrange(len(changed) - 32) for _ in range(2))
    changed[target : target + 32] = changed[source : source + 32]
    return bytes(changed)


def invent(content, rng):
    """A header and noise."""
    return content[:8] + rng.randbytes(rng.randrange(400))


@pytest.mark.parametrize("mutate", [flip, overwrite, transplant, invent])
def test_damaged_files_are_refused_or_read_and_judged(tflite, mutate):
    """Of 800 damaged files none gives another error, in reading or in judging what was read."""
    rng = random.Random(mutate.__name__)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(800):
        try:
            graph = parse(mutate(tflite, rng))
        except ArtifactError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
            judge(graph)
    assert outcomes["refused"] > 100
    assert outcomes["read"] > 100 or mutate is invent


def judge(graph):
    assert isinstance(graph, Graph)
    for kind in (Kind.INT8_QAT, Kind.FLOAT32):
        recipe = Recipe(name=kind.value, kind=kind)
        assert isinstance(tensor_breaches(graph, recipe) + operator_breaches(graph, recipe), tuple)

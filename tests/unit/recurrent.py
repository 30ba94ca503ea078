"""Real `.tflite` files of one recurrent layer: an int8 SVDF, and an LSTM of any types."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.testing import Draft, edit
from litegate.tflite.editing.writer import ModelWriter, QuantizationParameters

STEP = QuantizationParameters(scales=(0.5,))
PRODUCT = QuantizationParameters(scales=(0.25,))
"""The product of two steps, as a bias has it."""
STEPS, FEATURES, UNITS = 3, 4, 5


def _integers(shape, dtype):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def svdf(state="int16", time="int16"):
    """An int8 SVDF of six filters, and its result once more as int16, as keyword_scrambled has."""
    writer = ModelWriter("svdf")
    x = writer.computed("x", "int8", (1, 8), STEP)
    weights = writer.constant("feature", _integers((6, 8), "int8"), STEP)
    over_time = writer.constant("time", _integers((6, 3), time), STEP)
    bias = writer.constant("bias", _integers((6,), "int32"), PRODUCT)
    memory = writer.computed("memory", state, (1, 18), STEP)
    y = writer.computed("y", "int8", (1, 6), STEP)
    options = schema.SVDFOptionsT(
        rank=1, fusedActivationFunction=schema.ActivationFunctionType.RELU
    )
    writer.operator("SVDF", 3, (x, weights, over_time, bias, memory), y, options)
    wide = writer.computed("wide", "int16", (1, 6), STEP)
    writer.operator("QUANTIZE", 1, (y,), wide)
    counts = writer.computed("counts", "int32", (1, 6), STEP)
    writer.operator("QUANTIZE", 1, (wide,), counts)
    return edit(writer.finish([x], [counts]), lambda model: _make_variable(model, "memory"))


def remembering():
    """A layer that sums the last three invocations: its state is a variable."""
    writer = ModelWriter("svdf")
    x, y = writer.computed("x", "float32", (1, 2)), writer.computed("y", "float32", (1, 1))
    state = writer.computed("state", "float32", (1, 3))
    weights = [writer.constant(f"w{n}", np.ones((1, n), np.float32)) for n in (2, 3)]
    options = schema.SVDFOptionsT(rank=1)
    bias = writer.constant("bias", np.zeros(1, np.float32))
    writer.operator("SVDF", 1, [x, *weights, bias, state], y, options)
    return edit(writer.finish([x], [y]), lambda model: _make_variable(model, "state"))


def lstm(weights="int8", bias="int32", data="int8", cell="int16"):
    """An LSTM; beside it the empty tensors in which the converter keeps intermediate scales."""
    writer = ModelWriter("lstm")
    steps = {name: None if name.startswith("float") else STEP for name in (weights, data)}
    x = writer.computed("x", data, (1, STEPS, FEATURES), steps[data])
    gates = [
        writer.constant(f"{kind}/{gate}", _integers((UNITS, width), weights), steps[weights])
        for kind, width in (("input", FEATURES), ("recurrent", UNITS))
        for gate in range(4)
    ]
    biases = [
        writer.constant(
            f"bias/{n}", _integers((UNITS,), bias), None if bias.startswith("float") else PRODUCT
        )
        for n in range(4)
    ]
    state = writer.computed("hidden", data, (1, UNITS), steps[data])
    memory = writer.computed("cell", cell, (1, UNITS), steps[data])
    y = writer.computed("y", data, (1, STEPS, UNITS), steps[data])
    operands = (x, *gates, *[-1] * 3, *biases, -1, -1, state, memory, *[-1] * 4)
    options = schema.UnidirectionalSequenceLSTMOptionsT(
        fusedActivationFunction=schema.ActivationFunctionType.TANH
    )
    writer.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", 1, operands, y, options)
    extra = [writer.computed(f"intermediate/{n}", "float32", (0,)) for n in range(4)]
    extra += [writer.computed("effective hidden", "int8", (0,), STEP)]

    def change(model):
        model.subgraphs[0].operators[0].intermediates = extra
        for name in ("hidden", "cell"):
            _make_variable(model, name)

    return edit(writer.finish([x], [y]), change)


def half_lstm():
    """An LSTM in float16: DEQUANTIZE gives weights, biases, and the first values of the state."""
    return edit(lstm("float32", "float32", "float32", "float32"), _unpack_half)


def _unpack_half(model):
    draft, layer = Draft(model), model.subgraphs[0].operators[0]
    variables = [n for n, tensor in enumerate(draft.graph.tensors) if tensor.isVariable]
    for number, index in enumerate(layer.inputs):
        if index == -1:
            continue
        tensor = draft.graph.tensors[index]
        if index in variables or draft.holds(tensor):
            values = draft.values(tensor) if draft.holds(tensor) else np.zeros(tensor.shape)
            packed = draft.constant(f"half/{number}", values.astype(np.float16))
            tensor.buffer = 0
            draft.graph.operators.insert(0, draft.step("DEQUANTIZE", packed, index))


def _make_variable(model, name):
    for tensor in model.subgraphs[0].tensors:
        tensor.isVariable = tensor.isVariable or tensor.name == name.encode()


def sparse_dense():
    """A dense layer of eight inputs and two units whose weights are stored sparse, one each."""
    writer = ModelWriter("sparse")
    x = writer.computed("x", "float32", (1, 8))
    packed = writer.constant("packed", np.ones(2, np.float32))
    weights = writer.computed("weights", "float32", (2, 8))
    y = writer.computed("y", "float32", (1, 2))
    writer.operator("DENSIFY", 1, (packed,), weights, schema.DensifyOptionsT())
    writer.operator("FULLY_CONNECTED", 1, (x, weights, -1), y, schema.FullyConnectedOptionsT())

    def change(model):
        rows = schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=2)
        columns = schema.DimensionMetadataT(format=schema.DimensionType.SPARSE_CSR)
        kind = schema.SparseIndexVector.Uint8Vector
        columns.arraySegmentsType = columns.arrayIndicesType = kind
        columns.arraySegments = schema.Uint8VectorT(values=[0, 1, 2])
        columns.arrayIndices = schema.Uint8VectorT(values=[3, 6])
        tensor = model.subgraphs[0].tensors[packed]
        tensor.shape = tensor.shapeSignature = [2, 8]
        tensor.sparsity = schema.SparsityParametersT(
            traversalOrder=[0, 1], dimMetadata=[rows, columns]
        )

    return edit(writer.finish([x], [y]), change)


def blockwise():
    """A dense layer on int4 weights with a float16 scale for each block of 32."""
    writer = ModelWriter("blockwise")
    x = writer.computed("x", "float32", (1, 64))
    weights = writer.constant("weights", np.zeros((2, 32), np.int8))
    scales = writer.constant("scales", np.ones((2, 2), np.float16))
    y = writer.computed("y", "float32", (1, 2))
    writer.operator("FULLY_CONNECTED", 6, (x, weights, -1), y, schema.FullyConnectedOptionsT())

    def change(model):
        tensor = model.subgraphs[0].tensors[weights]
        tensor.type = schema.TensorType.INT4
        tensor.shape = tensor.shapeSignature = [2, 64]
        tensor.quantization = schema.QuantizationParametersT(
            detailsType=schema.QuantizationDetails.BlockwiseQuantization,
            details=schema.BlockwiseQuantizationT(scales=scales, zeroPoints=-1, blockSize=32),
        )

    return edit(writer.finish([x], [y]), change)

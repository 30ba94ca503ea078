"""Tiny real `.tflite` files whose outputs a test chooses: the samples hold the outputs to give."""

import hashlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.spec import Artifact, Evaluation
from litegate.spec.recipes import float32

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}


def selector(width, columns, *, bias=0.0, gain=1.0, free=True):
    """A dense layer that gives the named columns of samples of `width` values, scaled, plus bias.

    A bias that is NaN makes its output NaN. The batch is free, or fixed to one sample.
    """
    weights = np.zeros((len(columns), width), np.float32)
    weights[np.arange(len(columns)), columns] = gain
    offsets = np.broadcast_to(np.float32(bias), len(columns))
    options = schema.FullyConnectedOptionsT()
    return _file(
        [
            _tensor(width, free=free),
            _tensor(data=weights),
            _tensor(data=offsets),
            _tensor(len(columns), free=free),
        ],
        [("FULLY_CONNECTED", [0, 1, 2], [3], options)],
    )


def rounder(width, *, scale, zero_point=0, dtype="int8", floats=True):
    """Puts samples on a grid: floats in and out, or the grid's own type in and out."""
    grid = {"dtype": dtype, "scale": scale, "zero_point": zero_point}
    if not floats:
        return _file(
            [_tensor(width, **grid), _tensor(width, **grid)], [("QUANTIZE", [0], [1], None)]
        )
    return _file(
        [_tensor(width), _tensor(width, **grid), _tensor(width)],
        [("QUANTIZE", [0], [1], None), ("DEQUANTIZE", [1], [2], None)],
    )


def artifact(tflite, x, y=None, *, classes=None, domain=(0.0, 1.0), digest=None, **fields):
    """An artifact over samples `x`; labels 0, and a class for each value of a sample, unless said.

    Its model is named by its split, so that no two splits share a name.
    """
    x = np.asarray(x, np.float32)
    y = np.zeros(len(x), np.int64) if y is None else np.asarray(y)
    own = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    split = Evaluation(
        digest=digest or own,
        x=x,
        y=y,
        classes=tuple("abcdefghij"[: classes or x.shape[-1]]),
        domain=domain,
    )
    sha256 = hashlib.sha256(tflite).hexdigest()
    fixed = {"tflite": tflite, "sha256": sha256, "certificate": {}, "evaluation": split}
    return Artifact(**({"model": own[:8], "recipe": float32()} | fixed | fields))


def _tensor(width=None, *, dtype="float32", scale=None, zero_point=0, data=None, free=True):
    tensor = schema.TensorT()
    tensor.type = _TYPES[dtype]
    tensor.shape = [1, width] if data is None else list(data.shape)
    tensor.shapeSignature = [-1, width] if data is None and free else None
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [scale]
        tensor.quantization.zeroPoint = [zero_point]
    return tensor, data


def _file(tensors, steps):
    """A file whose first tensor is the input and whose last is the output."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs = 3, [graph]
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    graph.tensors, graph.operators = [], []
    graph.inputs, graph.outputs = [0], [len(tensors) - 1]
    for index, (tensor, data) in enumerate(tensors):
        tensor.name = f"tensor{index}"
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = None if data is None else np.frombuffer(data.tobytes(), np.uint8)
        graph.tensors.append(tensor)
    for name, inputs, outputs, options in steps:
        graph.operators.append(_operator(model, name, inputs, outputs, options))
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _operator(model, name, inputs, outputs, options):
    code, step = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = code.builtinCode
    step.opcodeIndex = len(model.operatorCodes)
    step.inputs, step.outputs = inputs, outputs
    if options is not None:
        step.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        step.builtinOptions = options
    model.operatorCodes.append(code)
    return step

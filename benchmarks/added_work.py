"""Make a `.tflite` truly slower, without TensorFlow: a hidden layer and its read-out are appended.

The new file does all that the old one did, then passes its output through two dense layers, of
`width` units and back. What that costs is left to be measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_HIDDEN_SCALE, _WEIGHT_SCALE = 1.0, 0.01


def with_dense(tflite: bytes, width: int) -> bytes:
    """The model with a dense layer of `width` units and a read-out after its only output.

    The output is float32 or int8, shape (1, n), and so is the new one, with the same scale.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
    graph = model.subgraphs[0]
    (old,) = (int(index) for index in graph.outputs)
    units = int(graph.tensors[old].shape[-1])
    scale = _HIDDEN_SCALE if graph.tensors[old].quantization is not None else None
    hidden = _activation(graph, old, width, scale)
    new = _activation(graph, old, units, None)
    _dense(model, old, hidden, (width, units))
    _dense(model, hidden, new, (units, width))
    graph.outputs = np.array([new], dtype=np.int32)
    for signature in model.signatureDefs or []:
        for port in signature.outputs:
            port.tensorIndex = new
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _activation(graph: Any, like: int, units: int, scale: float | None) -> int:
    """A tensor of the kind of tensor `like`, of `units` columns; its scale where none is given."""
    tensor = schema.TensorT()
    tensor.name = f"added_{len(graph.tensors)}".encode()
    tensor.type = graph.tensors[like].type
    tensor.shape = np.array([1, units], dtype=np.int32)
    tensor.buffer = 0
    tensor.quantization = graph.tensors[like].quantization
    if scale is not None and tensor.type == schema.TensorType.INT8:
        tensor.quantization = _quantization(scale)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _quantization(scale: float) -> Any:
    parameters = schema.QuantizationParametersT()
    parameters.scale, parameters.zeroPoint = [scale], [0]
    return parameters


def _dense(model: Any, source: int, target: int, shape: tuple[int, int]) -> None:
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model)
    operator.inputs = np.array([source, _weights(model, source, shape), -1], dtype=np.int32)
    operator.outputs = np.array([target], dtype=np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    model.subgraphs[0].operators.append(operator)


def _opcode(model: Any) -> int:
    wanted = schema.BuiltinOperator.FULLY_CONNECTED
    for index, code in enumerate(model.operatorCodes):
        if flatbuffer_utils.get_builtin_code_from_operator_code(code) == wanted:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = wanted
    code.version = 4
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _weights(model: Any, source: int, shape: tuple[int, int]) -> int:
    """A constant tensor of small random weights, of the type of tensor `source`."""
    graph = model.subgraphs[0]
    steps = np.random.default_rng(0).integers(-8, 9, size=shape)
    quantized = graph.tensors[source].type == schema.TensorType.INT8
    values = steps.astype(np.int8) if quantized else (steps * _WEIGHT_SCALE).astype(np.float32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), dtype=np.uint8)
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name = f"added_weights_{len(graph.tensors)}".encode()
    tensor.type = graph.tensors[source].type
    tensor.shape = np.array(shape, dtype=np.int32)
    tensor.buffer = len(model.buffers) - 1
    tensor.quantization = _quantization(_WEIGHT_SCALE) if quantized else None
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1

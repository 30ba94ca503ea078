"""Write a tiny network as a real `.tflite` of each kind, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.spec import Kind
from litegate.testing.network import (
    FEATURES,
    SEED,
    SIDE,
    Floats,
    Network,
    activations,
    network,
    samples,
)
from litegate.tflite.editing.writer import ModelWriter, QuantizationParameters
from litegate.tflite.nibbles import INT4

_CALIBRATION_SAMPLES = 512
"""Samples that set the ranges of the activations: enough that the evaluation's samples rarely leave
them, few enough for milliseconds."""
_LEAST_QUANTIZED_WEIGHTS = 1024
"""`dynamic_range` leaves constants with fewer weights in float32, as the converter does."""
_ACTIVATION_TYPES = {
    Kind.INT8_QAT: "int8",
    Kind.INT8_PTQ: "int8",
    Kind.INT16X8: "int16",
    Kind.STATIC_WI8_AI8: "int8",
    Kind.STATIC_WI8_AI16: "int16",
}
_WEIGHT_ONLY = (Kind.WEIGHT_ONLY_WI8_AFP32, Kind.WEIGHT_ONLY_WI4_AFP32)
_WEIGHT_TYPES = {
    Kind.DYNAMIC_WI8_AFP32: dict.fromkeys(("conv", "depthwise", "dense"), "int8"),
    Kind.WEIGHT_ONLY_WI8_AFP32: dict.fromkeys(("conv", "depthwise", "dense"), "int8"),
    Kind.WEIGHT_ONLY_WI4_AFP32: dict.fromkeys(("conv", "dense"), INT4),
    Kind.DYNAMIC_WI4B32_AFP32: {"dense": INT4},
}
"""The type of the weights of each layer that litert-quantizer quantizes in a float network."""
_BLOCK_SIZE = 32
"""`b32` in the name of dynamic_wi4b32_afp32."""


def tiny(
    kind: Kind = Kind.INT8_QAT,
    *,
    input_type: str = "float32",
    output_type: str = "float32",
    seed: int = SEED,
) -> bytes:
    """Return the network of `seed` as a `.tflite` that LiteRT runs: 10x10x1 in, four logits out.

    Tensors are named "input", "conv", "conv/weight", "conv/bias", "depthwise", "dense", "output"
    and so on. All kinds of one seed have the same weights. Only the int8 kinds support other input
    and output types than float32.
    """
    return _NetworkWriter(kind, network(seed)).write(input_type, output_type)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _LayerFormat:
    """The operator of a layer and its versions in the file."""

    operator: str
    options: Any
    channel: int
    """The axis of the output channels in the weights."""
    integer_version: int
    """The lowest operator version for int8 and int16 activations."""
    hybrid_version: int = 0
    """The lowest operator version for float data with int8 weights."""


_RELU = schema.ActivationFunctionType.RELU
_LAYERS = {
    "conv": _LayerFormat(
        operator="CONV_2D",
        options=schema.Conv2DOptionsT(
            padding=schema.Padding.VALID, strideW=1, strideH=1, fusedActivationFunction=_RELU
        ),
        channel=0,
        integer_version=3,
        hybrid_version=5,
    ),
    "depthwise": _LayerFormat(
        operator="DEPTHWISE_CONV_2D",
        options=schema.DepthwiseConv2DOptionsT(
            padding=schema.Padding.SAME,
            strideW=1,
            strideH=1,
            depthMultiplier=1,
            fusedActivationFunction=_RELU,
        ),
        channel=3,
        integer_version=3,
        hybrid_version=6,
    ),
    "dense": _LayerFormat(
        operator="FULLY_CONNECTED",
        options=schema.FullyConnectedOptionsT(),
        channel=0,
        integer_version=4,
        hybrid_version=12,
    ),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _WrittenTensor:
    """A tensor of the file and its quantization."""

    index: int
    steps: QuantizationParameters | None
    """None for floats."""


@final
class _NetworkWriter:
    """Writes a network as a file of one kind, layer after layer."""

    def __init__(self, kind: Kind, net: Network) -> None:
        self._kind, self._net = kind, net
        self._calibration = activations(net, samples(_CALIBRATION_SAMPLES))
        self._activation = _ACTIVATION_TYPES.get(kind, "float32")
        self._writer = ModelWriter(f"tiny {kind}")

    def write(self, input_type: str, output_type: str) -> bytes:
        """Write all layers and return the file's bytes."""
        port, tensor = self._input(input_type)
        tensor = self._layer("conv", tensor, self._calibration.conv)
        tensor = self._layer("depthwise", tensor, self._calibration.depthwise)
        tensor = self._layer("dense", self._flattened(tensor), self._calibration.logits)
        return self._writer.finish([port], [self._output(tensor, output_type)])

    def _input(self, dtype: str) -> tuple[int, _WrittenTensor]:
        """Write the input; return its index and the tensor that the first layer reads."""
        shape, steps = (-1, SIDE, SIDE, 1), _range_steps(self._activation, 0.0, 1.0)
        port = self._writer.computed("input", dtype, shape, _port_steps(steps, dtype))
        if dtype == self._activation:
            return port, _WrittenTensor(index=port, steps=steps)
        inner = self._writer.computed("input/quantized", self._activation, shape, steps)
        self._writer.operator("QUANTIZE", 1, [port], inner, schema.QuantizeOptionsT())
        return port, _WrittenTensor(index=inner, steps=steps)

    def _output(self, logits: _WrittenTensor, dtype: str) -> int:
        """Write the output in its own type; return its index."""
        if dtype == self._activation:
            return logits.index
        steps = _port_steps(logits.steps, dtype)
        output = self._writer.computed("output", dtype, (-1, len(self._net.dense)), steps)
        if dtype == "float32":
            return self._writer.operator(
                "DEQUANTIZE", 2, [logits.index], output, schema.DequantizeOptionsT()
            )
        return self._writer.operator(
            "QUANTIZE", 1, [logits.index], output, schema.QuantizeOptionsT()
        )

    def _layer(self, name: str, data: _WrittenTensor, calibration: Floats) -> _WrittenTensor:
        """Write a layer whose output range is that of its `calibration` outputs."""
        layer = _LAYERS[name]
        weights: Floats = getattr(self._net, name)
        weight = self._weight(name, weights, layer.channel)
        bias = self._bias(f"{name}/bias", getattr(self._net, f"{name}_bias"), data, weight)
        low, high = float(calibration.min()), float(calibration.max())
        steps = _range_steps(self._activation, low, high)
        shape = (-1, *calibration.shape[1:])
        output = self._writer.computed(name, self._activation, shape, steps)
        is_hybrid = data.steps is None and weight.steps is not None
        version = layer.integer_version if data.steps else 1
        if is_hybrid:
            version = layer.hybrid_version
        inputs = [data.index, weight.index, bias]
        self._writer.operator(layer.operator, version, inputs, output, layer.options)
        return _WrittenTensor(index=output, steps=steps)

    def _weight(self, layer: str, weights: Floats, channel: int) -> _WrittenTensor:
        name = f"{layer}/weight"
        if self._kind is Kind.FLOAT16:
            packed = self._writer.constant(name, weights.astype(np.float16))
            return _WrittenTensor(index=self._unpacked(name, packed, weights.shape), steps=None)
        dtype = self._weight_type(layer, weights)
        if dtype == "float32":
            return _WrittenTensor(index=self._writer.constant(name, weights), steps=None)
        if self._kind is Kind.DYNAMIC_WI4B32_AFP32:
            return self._in_blocks(name, weights)
        # LiteRT's specification of 8-bit quantization: weights are symmetric, from -127 to 127.
        largest = 7 if dtype == INT4 else 127
        other_axes = tuple(axis for axis in range(weights.ndim) if axis != channel)
        scales = (np.abs(weights).max(axis=other_axes, keepdims=True) / largest).astype(np.float32)
        integers = np.clip(np.round(weights / scales), -largest, largest).astype(np.int8)
        steps = QuantizationParameters(scales=tuple(scales.ravel().tolist()), axis=channel)
        index = self._writer.constant(name, integers, steps, dtype=dtype)
        if self._kind in _WEIGHT_ONLY:
            return _WrittenTensor(index=self._unpacked(name, index, weights.shape), steps=None)
        return _WrittenTensor(index=index, steps=steps)

    def _weight_type(self, layer: str, weights: Floats) -> str:
        if self._activation != "float32":
            return "int8"
        if self._kind is Kind.DYNAMIC_RANGE and weights.size >= _LEAST_QUANTIZED_WEIGHTS:
            return "int8"
        return _WEIGHT_TYPES.get(self._kind, {}).get(layer, "float32")

    def _in_blocks(self, name: str, weights: Floats) -> _WrittenTensor:
        """Write int4 weights of shape (rows, columns) with a float16 scale for each block."""
        blocks = weights.reshape(len(weights), -1, _BLOCK_SIZE)
        scales = (np.abs(blocks).max(axis=2) / 7).astype(np.float16)
        integers = np.clip(np.round(blocks / scales[:, :, np.newaxis]), -7, 7).astype(np.int8)
        steps = QuantizationParameters(
            block_scales=self._writer.constant(f"{name}_scales", scales), block_size=_BLOCK_SIZE
        )
        values = integers.reshape(weights.shape)
        index = self._writer.constant(name, values, steps, dtype=INT4)
        return _WrittenTensor(index=index, steps=steps)

    def _bias(self, name: str, bias: Floats, data: _WrittenTensor, weight: _WrittenTensor) -> int:
        if self._kind is Kind.FLOAT16:
            packed = self._writer.constant(name, bias.astype(np.float16))
            return self._unpacked(name, packed, bias.shape)
        if data.steps is None or weight.steps is None:
            return self._writer.constant(name, bias)
        # kernels add the bias to the products of data and weights, so it needs their scale
        scales = tuple(data.steps.scales[0] * scale for scale in weight.steps.scales)
        dtype = np.int64 if self._activation == "int16" else np.int32
        integers = np.round(bias / np.array(scales)).astype(dtype)
        return self._writer.constant(name, integers, QuantizationParameters(scales=scales))

    def _unpacked(self, name: str, packed: int, shape: tuple[int, ...]) -> int:
        """Write a DEQUANTIZE of a packed constant; return the index of the float32 tensor."""
        output = self._writer.computed(f"{name}/unpacked", "float32", shape)
        # Version 3 is the lowest that takes float16, 5 several scales, 6 int4.
        version = 3 if self._kind is Kind.FLOAT16 else 6
        options = schema.DequantizeOptionsT()
        return self._writer.operator("DEQUANTIZE", version, [packed], output, options)

    def _flattened(self, tensor: _WrittenTensor) -> _WrittenTensor:
        """Reshape to (batch, features), with the batch size read from the tensor's shape.

        These are the operators that TensorFlow's converter writes for a Flatten layer.
        """
        writer = self._writer
        shape = writer.computed("flat/input_shape", "int32", (4,))
        writer.operator(
            "SHAPE", 1, [tensor.index], shape, schema.ShapeOptionsT(outType=schema.TensorType.INT32)
        )
        first = writer.constant("flat/first", np.array([0], np.int32))
        last = writer.constant("flat/last", np.array([1], np.int32))
        batch = writer.computed("flat/batch", "int32", ())
        options = schema.StridedSliceOptionsT(shrinkAxisMask=1)
        writer.operator("STRIDED_SLICE", 1, [shape, first, last, last], batch, options)
        features = writer.constant("flat/features", np.array(FEATURES, np.int32))
        new_shape = writer.computed("flat/shape", "int32", (2,))
        writer.operator(
            "PACK", 1, [batch, features], new_shape, schema.PackOptionsT(valuesCount=2, axis=0)
        )
        flat = writer.computed("flat", self._activation, (-1, FEATURES), tensor.steps)
        inputs = [tensor.index, new_shape]
        writer.operator("RESHAPE", 1, inputs, flat, schema.ReshapeOptionsT())
        return _WrittenTensor(index=flat, steps=tensor.steps)


def _range_steps(dtype: str, low: float, high: float) -> QuantizationParameters | None:
    """Return a quantization of `low` to `high` that represents 0 exactly; None for float32."""
    if dtype == "float32":
        return None
    # int16 is symmetric, as its kernels require; int8 spreads its 255 steps over low to high.
    if dtype == "int16":
        return QuantizationParameters(scales=(max(abs(low), abs(high)) / 32767,))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return QuantizationParameters(scales=(scale,), zero_point=round(-128 - low / scale))


def _port_steps(steps: QuantizationParameters | None, dtype: str) -> QuantizationParameters | None:
    """Return the quantization of an input or output of another type than its int8 tensor."""
    if steps is None or dtype == "float32":
        return None
    shift = 128 if dtype == "uint8" else 0
    return QuantizationParameters(scales=steps.scales, zero_point=steps.zero_point + shift)

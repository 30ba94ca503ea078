"""A tiny network as a real `.tflite` of each kind, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.spec import Kind
from litegate.testing.network import FEATURES, SIDE, Floats, Network, activations, network, samples
from litegate.tflite.editing.writer import Steps, Writer

_CALIBRATION = 512
"""Samples that set the ranges of the activations."""
_PACKED_FROM = 1024
"""Weights from which on `dynamic_range` packs them."""
_ACTIVATIONS = {Kind.INT8_QAT: "int8", Kind.INT8_PTQ: "int8", Kind.INT16X8: "int16"}


def tiny(
    kind: Kind = Kind.INT8_QAT,
    *,
    input_type: str = "float32",
    output_type: str = "float32",
    seed: int = 7,
) -> bytes:
    """The network of `seed` as a `.tflite` that LiteRT runs: 10x10x1 in, four logits out.

    Tensors are named "input", "conv", "conv/weight", "conv/bias", "depthwise", "dense", "output"
    and so on. The kinds of one seed hold the same weights. Input and output types other than
    float32 are for the int8 kinds.
    """
    return _Build(kind, network(seed)).run(input_type, output_type)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """How a layer is written."""

    operator: str
    options: Any
    channel: int
    """The weight's dimension of output channels."""
    integer_version: int
    hybrid_version: int = 0


_RELU = schema.ActivationFunctionType.RELU
_LAYERS = {
    "conv": _Layer(
        operator="CONV_2D",
        options=schema.Conv2DOptionsT(
            padding=schema.Padding.VALID, strideW=1, strideH=1, fusedActivationFunction=_RELU
        ),
        channel=0,
        integer_version=3,
    ),
    "depthwise": _Layer(
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
    ),
    "dense": _Layer(
        operator="FULLY_CONNECTED",
        options=schema.FullyConnectedOptionsT(),
        channel=0,
        integer_version=4,
        hybrid_version=12,
    ),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A tensor on its way through the network."""

    index: int
    steps: Steps | None
    """None for floats."""


@final
class _Build:
    """Writes one network as one kind, layer after layer."""

    def __init__(self, kind: Kind, net: Network) -> None:
        self._kind, self._net = kind, net
        self._seen = activations(net, samples(_CALIBRATION))
        self._activation = _ACTIVATIONS.get(kind, "float32")
        self._writer = Writer(f"tiny {kind}")

    def run(self, input_type: str, output_type: str) -> bytes:
        """Write every layer; the file's bytes."""
        entry, value = self._entry(input_type)
        value = self._layer("conv", value, self._seen.conv)
        value = self._layer("depthwise", value, self._seen.depthwise)
        value = self._layer("dense", self._flat(value), self._seen.logits)
        return self._writer.finish([entry], [self._exit(value, output_type)])

    def _entry(self, dtype: str) -> tuple[int, _Value]:
        shape, steps = (-1, SIDE, SIDE, 1), _range(self._activation, 0.0, 1.0)
        entry = self._writer.computed("input", dtype, shape, _as_port(steps, dtype))
        if dtype == self._activation:
            return entry, _Value(index=entry, steps=steps)
        inner = self._writer.computed("input/quantized", self._activation, shape, steps)
        self._writer.operator("QUANTIZE", 1, [entry], inner, schema.QuantizeOptionsT())
        return entry, _Value(index=inner, steps=steps)

    def _exit(self, value: _Value, dtype: str) -> int:
        if dtype == self._activation:
            return value.index
        port = _as_port(value.steps, dtype)
        output = self._writer.computed("output", dtype, (-1, len(self._net.dense)), port)
        if dtype == "float32":
            return self._writer.operator(
                "DEQUANTIZE", 2, [value.index], output, schema.DequantizeOptionsT()
            )
        return self._writer.operator(
            "QUANTIZE", 1, [value.index], output, schema.QuantizeOptionsT()
        )

    def _layer(self, name: str, data: _Value, seen: Floats) -> _Value:
        kind = _LAYERS[name]
        weights: Floats = getattr(self._net, name)
        weight = self._weight(f"{name}/weight", weights, kind.channel)
        bias = self._bias(f"{name}/bias", getattr(self._net, f"{name}_bias"), data, weight)
        steps = _range(self._activation, float(seen.min()), float(seen.max()))
        output = self._writer.computed(name, self._activation, (-1, *seen.shape[1:]), steps)
        hybrid = data.steps is None and weight.steps is not None
        version = kind.hybrid_version if hybrid else kind.integer_version if data.steps else 1
        inputs = [data.index, weight.index, bias]
        self._writer.operator(kind.operator, version, inputs, output, kind.options)
        return _Value(index=output, steps=steps)

    def _weight(self, name: str, weights: Floats, channel: int) -> _Value:
        if self._kind is Kind.FLOAT16:
            return _Value(index=self._unpacked(name, weights), steps=None)
        packed = self._kind is Kind.DYNAMIC_RANGE and weights.size >= _PACKED_FROM
        if self._activation == "float32" and not packed:
            return _Value(index=self._writer.constant(name, weights), steps=None)
        others = tuple(axis for axis in range(weights.ndim) if axis != channel)
        scales = (np.abs(weights).max(axis=others, keepdims=True) / 127).astype(np.float32)
        integers = np.clip(np.round(weights / scales), -127, 127).astype(np.int8)
        steps = Steps(scales=tuple(scales.ravel().tolist()), axis=channel)
        return _Value(index=self._writer.constant(name, integers, steps), steps=steps)

    def _bias(self, name: str, bias: Floats, data: _Value, weight: _Value) -> int:
        if self._kind is Kind.FLOAT16:
            return self._unpacked(name, bias)
        if data.steps is None or weight.steps is None:
            return self._writer.constant(name, bias)
        scales = tuple(data.steps.scales[0] * scale for scale in weight.steps.scales)
        dtype = np.int64 if self._kind is Kind.INT16X8 else np.int32
        integers = np.round(bias / np.array(scales)).astype(dtype)
        return self._writer.constant(name, integers, Steps(scales=scales))

    def _unpacked(self, name: str, values: Floats) -> int:
        packed = self._writer.constant(name, values.astype(np.float16))
        output = self._writer.computed(f"{name}/unpacked", "float32", values.shape)
        return self._writer.operator("DEQUANTIZE", 3, [packed], output, schema.DequantizeOptionsT())

    def _flat(self, value: _Value) -> _Value:
        """Reshape to (batch, features), the batch read from the tensor's own shape."""
        write, one = self._writer, np.array([1], np.int32)
        shape = write.computed("flat/input_shape", "int32", (4,))
        write.operator(
            "SHAPE", 1, [value.index], shape, schema.ShapeOptionsT(outType=schema.TensorType.INT32)
        )
        first, last = write.constant("flat/first", 0 * one), write.constant("flat/last", one)
        batch = write.computed("flat/batch", "int32", ())
        options = schema.StridedSliceOptionsT(shrinkAxisMask=1)
        write.operator("STRIDED_SLICE", 1, [shape, first, last, last], batch, options)
        features = write.constant("flat/features", np.array(FEATURES, np.int32))
        wanted = write.computed("flat/shape", "int32", (2,))
        write.operator(
            "PACK", 1, [batch, features], wanted, schema.PackOptionsT(valuesCount=2, axis=0)
        )
        flat = write.computed("flat", self._activation, (-1, FEATURES), value.steps)
        write.operator("RESHAPE", 1, [value.index, wanted], flat, schema.ReshapeOptionsT())
        return _Value(index=flat, steps=value.steps)


def _range(dtype: str, low: float, high: float) -> Steps | None:
    """Steps that reach from `low` to `high` and stand for 0 exactly; None for floats."""
    if dtype == "float32":
        return None
    if dtype == "int16":
        return Steps(scales=(max(abs(low), abs(high)) / 32767,))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return Steps(scales=(scale,), zero_point=round(-128 - low / scale))


def _as_port(steps: Steps | None, dtype: str) -> Steps | None:
    """The steps of an int8 tensor as an input or output of another type has them."""
    if steps is None or dtype == "float32":
        return None
    shift = 128 if dtype == "uint8" else 0
    return Steps(scales=steps.scales, zero_point=steps.zero_point + shift)

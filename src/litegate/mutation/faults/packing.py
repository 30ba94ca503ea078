"""Quantize float weights to int8, and merge the scales of int8 weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.floats import real_values
from litegate.mutation.faults.layers import Layer, layers
from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.editing.writer import QuantizationParameters

_HYBRID_VERSIONS = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}
"""The lowest version of an operator that takes float data and int8 weights with many scales."""


def hybrid(tflite: bytes, count: int | None = None) -> bytes:
    """Quantize the weights of a float file's first `count` layers, or of all, for hybrid kernels.

    Raises Unplantable if no layer has float32 weights.
    """

    def change(draft: Draft, layer: Layer) -> None:
        code = getattr(schema.BuiltinOperator, layer.kind)
        layer.operator.opcodeIndex = draft.code(code, _HYBRID_VERSIONS[layer.kind])

    return _with_packed_weights(tflite, count, change)


def weight_only(tflite: bytes) -> bytes:
    """Quantize the weights of a float file and unpack them with DEQUANTIZE before each layer.

    Raises Unplantable if no layer has float32 weights.
    """

    def change(draft: Draft, layer: Layer) -> None:
        packed = layer.operator.inputs[1]
        unpacked = draft.beside_float(packed)
        draft.graph.tensors[unpacked].buffer = 0
        layer.operator.inputs = [layer.operator.inputs[0], unpacked, *layer.operator.inputs[2:]]
        position = draft.graph.operators.index(layer.operator)
        draft.graph.operators.insert(position, draft.step("DEQUANTIZE", packed, unpacked))

    return _with_packed_weights(tflite, None, change)


def merge_scales(draft: Draft, layer: Layer) -> None:
    """Replace the scales of an integer layer's channels by a single one, and those of its bias."""
    bias = None if layer.bias is None else real_values(draft, layer.bias)
    (scale,) = _pack(draft, layer, real_values(draft, layer.weight), axes=None)
    if bias is not None:
        scale *= draft.graph.tensors[layer.operator.inputs[0]].quantization.scale[0]
        draft.store(layer.bias, np.round(bias / scale).astype(draft.values(layer.bias).dtype))
        layer.bias.quantization = QuantizationParameters(scales=(float(scale),)).to_schema()


def _with_packed_weights(
    tflite: bytes, count: int | None, change: Callable[[Draft, Layer], None]
) -> bytes:
    """Quantize the weights of the first `count` float layers and let `change` alter each layer."""

    def pack(model: Any) -> None:
        draft = Draft(model)
        float_layers = [
            layer for layer in layers(draft) if layer.weight.type == schema.TensorType.FLOAT32
        ]
        if not float_layers:
            raise Unplantable("no layer has float32 weights")
        for layer in float_layers[:count]:
            # an earlier layer may share these weights and have packed them
            if layer.weight.type == schema.TensorType.FLOAT32:
                axes = tuple(n for n in range(len(layer.weight.shape)) if n != layer.channel)
                _pack(draft, layer, draft.values(layer.weight), axes=axes)
            change(draft, layer)

    return edit(tflite, pack)


def _pack(
    draft: Draft, layer: Layer, values: NDArray[Any], *, axes: tuple[int, ...] | None
) -> tuple[float, ...]:
    """Store weights as int8 from -127 to 127; the values along `axes` share one scale.

    None as `axes` gives all weights the same scale. Returns the scales.
    """
    peaks = np.abs(values).max(axis=axes, keepdims=True)
    # symmetric int8 weights do not use -128
    scales = (np.where(peaks > 0, peaks, 1) / 127).astype(np.float32)
    integers = np.clip(np.round(values / scales), -127, 127).astype(np.int8)
    draft.store(layer.weight, integers)
    scale_values = tuple(float(scale) for scale in scales.ravel())
    layer.weight.quantization = QuantizationParameters(
        scales=scale_values, axis=layer.channel
    ).to_schema()
    return scale_values

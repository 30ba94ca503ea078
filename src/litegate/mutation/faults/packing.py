"""Weights in another form: floats packed into int8, one scale in place of one for each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.mutation.faults.floats import real
from litegate.mutation.faults.layers import Layer, layers
from litegate.mutation.faults.scene import Unplantable
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.editing.writer import Steps

_HYBRID = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}
"""The version from which on an operator reads float data beside int8 weights of many scales."""


def hybrid(tflite: bytes, most: int | None = None) -> bytes:
    """Pack the weights of a float file's first `most` layers, or of all: kernels become hybrid.

    Unplantable where no layer has float32 weights.
    """

    def change(draft: Draft, layer: Layer) -> None:
        code = getattr(schema.BuiltinOperator, layer.kind)
        layer.operator.opcodeIndex = draft.code(code, _HYBRID[layer.kind])

    return _packed(tflite, most, change)


def weight_only(tflite: bytes) -> bytes:
    """Pack the weights of a float file; a DEQUANTIZE unpacks them, and layers compute in floats.

    Unplantable where no layer has float32 weights.
    """

    def change(draft: Draft, layer: Layer) -> None:
        packed = layer.operator.inputs[1]
        unpacked = draft.beside_float(packed)
        draft.graph.tensors[unpacked].buffer = 0
        layer.operator.inputs = [layer.operator.inputs[0], unpacked, *layer.operator.inputs[2:]]
        number = draft.graph.operators.index(layer.operator)
        draft.graph.operators.insert(number, draft.step("DEQUANTIZE", packed, unpacked))

    return _packed(tflite, None, change)


def merge_scales(draft: Draft, layer: Layer) -> None:
    """Give an integer layer one weight scale in place of one for each channel; its bias, too."""
    meant = None if layer.bias is None else real(draft, layer.bias)
    (scale,) = _pack(draft, layer, real(draft, layer.weight), axes=None)
    if meant is not None:
        scale *= draft.graph.tensors[layer.operator.inputs[0]].quantization.scale[0]
        draft.store(layer.bias, np.round(meant / scale).astype(draft.values(layer.bias).dtype))
        layer.bias.quantization = Steps(scales=(float(scale),)).written()


def _packed(tflite: bytes, most: int | None, change: Callable[[Draft, Layer], None]) -> bytes:
    def pack(model: Any) -> None:
        draft = Draft(model)
        floats = [one for one in layers(draft) if one.weight.type == schema.TensorType.FLOAT32]
        if not floats:
            raise Unplantable("no layer has float32 weights")
        for layer in floats[:most]:
            if layer.weight.type == schema.TensorType.FLOAT32:
                others = tuple(n for n in range(len(layer.weight.shape)) if n != layer.channel)
                _pack(draft, layer, draft.values(layer.weight), axes=others)
            change(draft, layer)

    return edit(tflite, pack)


def _pack(
    draft: Draft, layer: Layer, values: NDArray[Any], *, axes: tuple[int, ...] | None
) -> tuple[float, ...]:
    """Store weights as int8 from -127 to 127, one scale for all that lie along `axes`."""
    peaks = np.abs(values).max(axis=axes, keepdims=True)
    scales = (np.where(peaks > 0, peaks, 1) / 127).astype(np.float32)
    integers = np.clip(np.round(values / scales), -127, 127).astype(np.int8)
    draft.store(layer.weight, integers)
    found = tuple(float(scale) for scale in scales.ravel())
    layer.weight.quantization = Steps(scales=found, axis=layer.channel).written()
    return found

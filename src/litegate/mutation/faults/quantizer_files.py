"""Plant faults in the packed weights of litert-quantizer's files that compute in floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.measures.names import Name
from litegate.mutation.faults.fault import Expect, Family, Ladder, fault
from litegate.mutation.faults.floats import real_values
from litegate.mutation.faults.layers import Layer, layers
from litegate.mutation.faults.packing import hybrid, weight_only
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.spec import Kind
from litegate.spec.recipe import QUANTIZER_KINDS, STATIC_KINDS
from litegate.tflite.editing.draft import Draft, dtype_of
from litegate.tflite.editing.writer import QuantizationParameters
from litegate.tflite.nibbles import INT4

_TENSORS, _OPERATORS = Name.TENSOR_VIOLATIONS, Name.OPERATOR_VIOLATIONS
_FLOAT_KINDS = QUANTIZER_KINDS - STATIC_KINDS
_WEIGHT_ONLY = frozenset({Kind.WEIGHT_ONLY_WI8_AFP32, Kind.WEIGHT_ONLY_WI4_AFP32})
_BLOCKWISE = frozenset({Kind.DYNAMIC_WI4B32_AFP32})
_LAYERS = Ladder(1, 4, unit="layers", must=1)
"""The first layers with packed weights; all if there are fewer. As in `types`, a single layer must
be noticed, because the checks of types allow no violation."""


@fault(family=Family.TYPES, ladder=_LAYERS, noticed_by=(_TENSORS,))
def float_weights(scene: Scene, grade: float) -> Scene:
    """Weights that the recipe packs are float32."""
    _check_kind(scene, _FLOAT_KINDS)

    def unpack(draft: Draft, layer: Layer) -> None:
        draft.store(layer.weight, _values(draft, layer.weight).astype(np.float32))
        layer.weight.quantization = None
        _read_directly(draft, layer)

    return _with_layers(scene, grade, unpack)


@fault(family=Family.TYPES, ladder=_LAYERS, noticed_by=(_TENSORS,))
def merged_scales(scene: Scene, grade: float) -> Scene:
    """Layers have one scale for all weights instead of one for each channel."""
    _check_kind(scene, _FLOAT_KINDS - _BLOCKWISE)
    is_hybrid = scene.recipe.kind not in _WEIGHT_ONLY

    def merge(draft: Draft) -> None:
        # LiteRT's hybrid DEPTHWISE_CONV_2D would read past the end of a single scale
        # (`dataflow.check_channel_scales`)
        mergeable = [
            layer
            for layer in _packed_layers(draft)
            if not (is_hybrid and layer.kind == "DEPTHWISE_CONV_2D")
        ]
        if not mergeable:
            raise Unplantable("only depthwise convolutions have packed weights")
        for layer in mergeable[: int(grade)]:
            dtype = dtype_of(layer.weight)
            _pack(draft, layer, 7 if dtype == INT4 else 127, dtype=dtype, axes=None)

    return scene.with_edited(merge)


@fault(family=Family.TYPES, ladder=_LAYERS, noticed_by=(_TENSORS,))
def wide_weights(scene: Scene, grade: float) -> Scene:
    """Weights have 8 bits instead of 4, with a scale for each channel."""

    def widen(draft: Draft, layer: Layer) -> None:
        axes = tuple(axis for axis in range(len(layer.weight.shape)) if axis != layer.channel)
        _pack(draft, layer, 127, dtype="int8", axes=axes)

    _check_kind(scene, {Kind.WEIGHT_ONLY_WI4_AFP32, *_BLOCKWISE})
    return _with_layers(scene, grade, widen)


@fault(family=Family.TYPES, noticed_by=(_OPERATORS,))
def hybrid_weights(scene: Scene, _: float) -> Scene:
    """Kernels read the packed weights, which the recipe unpacks to compute in floats."""
    _check_kind(scene, _WEIGHT_ONLY)
    return scene.with_candidate(hybrid(scene.reference.tflite))


@fault(family=Family.TYPES, noticed_by=(_OPERATORS,))
def unpacked_weights(scene: Scene, _: float) -> Scene:
    """Packed weights are unpacked to compute in floats, but the recipe's kernels read them."""
    _check_kind(scene, _FLOAT_KINDS - _WEIGHT_ONLY)
    return scene.with_candidate(weight_only(scene.reference.tflite))


@fault(family=Family.TYPES, noticed_by=(_TENSORS,), expect=Expect.REFUSED)
def infinite_block(scene: Scene, _: float) -> Scene:
    """The scale of a block overflows float16, so that one output of a layer is not finite."""
    _check_kind(scene, _BLOCKWISE)

    def change(draft: Draft) -> None:
        details = _packed_layers(draft)[0].weight.quantization.details
        scales = draft.graph.tensors[details.scales]
        values = draft.values(scales).copy()
        values.flat[0] = np.inf
        draft.store(scales, values)

    return scene.with_edited(change)


def _check_kind(scene: Scene, kinds: Any) -> None:
    if scene.recipe.kind not in kinds:
        raise Unplantable(f"{scene.recipe.kind} does not pack weights in this way")


def _with_layers(scene: Scene, grade: float, change: Callable[[Draft, Layer], None]) -> Scene:
    """Apply `change` to the first layers with packed weights."""

    def change_layers(draft: Draft) -> None:
        for layer in _packed_layers(draft)[: int(grade)]:
            change(draft, layer)

    return scene.with_edited(change_layers)


def _packed_layers(draft: Draft) -> list[Layer]:
    """Return the layers with integer weights; raise Unplantable if there is none."""
    packed = [layer for layer in layers(draft) if dtype_of(layer.weight) in ("int8", INT4)]
    if not packed:
        raise Unplantable("no layer has packed weights")
    return packed


def _values(draft: Draft, weight: Any) -> NDArray[np.float64]:
    """Return the real values of packed weights, in their own shape."""
    details = weight.quantization.details
    if details is None:
        return real_values(draft, weight)
    scales = draft.values(draft.graph.tensors[details.scales]).astype(np.float64)
    values: NDArray[np.float64] = draft.values(weight) * np.repeat(scales, details.blockSize, -1)
    return values


def _pack(
    draft: Draft, layer: Layer, largest: int, *, dtype: str, axes: tuple[int, ...] | None
) -> None:
    """Store a layer's weights as integers up to `largest`; those along `axes` share a scale."""
    values = _values(draft, layer.weight)
    peaks = np.abs(values).max(axis=axes, keepdims=True)
    scales = np.where(peaks > 0, peaks, 1) / largest
    integers = np.clip(np.round(values / scales), -largest, largest).astype(np.int8)
    draft.store(layer.weight, integers, dtype=dtype)
    parameters = QuantizationParameters(
        scales=tuple(float(scale) for scale in scales.ravel()),
        axis=layer.channel if scales.size > 1 else 0,
    )
    layer.weight.quantization = parameters.to_schema()


def _read_directly(draft: Draft, layer: Layer) -> None:
    """Let a layer read its weights without the DEQUANTIZE that unpacked them, if there is one."""
    index = draft.graph.tensors.index(layer.weight)
    inputs = [int(number) for number in layer.operator.inputs]
    if inputs[1] != index:
        unpacked = inputs[1]
        layer.operator.inputs = [inputs[0], index, *inputs[2:]]
        draft.graph.operators = [op for op in draft.graph.operators if unpacked not in op.outputs]

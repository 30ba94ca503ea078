"""A float file and an int8 one for images of 64x64x3, and the images that they are gated on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from litegate.tflite.editing.writer import ModelWriter, QuantizationParameters

SIDE, PATCH, CHANNELS, CLASSES = 64, 8, 4, 10
SAMPLE_BYTES = SIDE * SIDE * 3 * 4
"""Of one image in float32."""
BATCH = 64
_INPUT = QuantizationParameters(scales=(1 / 255,), zero_point=-128)

Floats = NDArray[np.float32]


def batches(count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images and labels, `count` in all: the same ones each time. A label is the float answer."""
    for number, start in enumerate(range(0, count, BATCH)):
        images = _images(min(BATCH, count - start), seed=number)
        yield images, _answers(images.astype(np.float32) / 255).argmax(axis=1)


def _images(count: int, seed: int) -> NDArray[np.uint8]:
    """Patches of one brightness each, under a little noise."""
    draw, side = np.random.default_rng(seed), SIDE // PATCH
    patches = draw.integers(0, 240, (count, side, 1, side, 1, 3), np.uint8)
    noise = draw.integers(0, 16, (count, side, PATCH, side, PATCH, 3), np.uint8)
    return (patches + noise).reshape(count, SIDE, SIDE, 3)


@cache
def _weights() -> tuple[Floats, Floats, Floats]:
    """Of the convolution, shape (4, 8, 8, 3); of the dense layer, shape (10, 256); its bias."""
    draw, inputs = np.random.default_rng(7), (SIDE // PATCH) ** 2 * CHANNELS
    conv = draw.normal(0, 1 / PATCH**2, (CHANNELS, PATCH, PATCH, 3)).astype(np.float32)
    conv += draw.normal(0, 1 / PATCH**2, (CHANNELS, 1, 1, 3)).astype(np.float32)
    dense = draw.normal(0, inputs**-0.5, (CLASSES, inputs)).astype(np.float32)
    x = _images(512, seed=1 << 31).astype(np.float32) / 255
    return conv, dense, -(_patched(x, conv) @ dense.T).mean(axis=0)


def _patched(x: Floats, conv: Floats) -> Floats:
    side = SIDE // PATCH
    cut = x.reshape(-1, side, PATCH, side, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
    sums: Floats = cut.reshape(-1, PATCH * PATCH * 3) @ conv.reshape(CHANNELS, -1).T
    return sums.reshape(len(x), -1)


def _answers(x: Floats) -> Floats:
    conv, dense, bias = _weights()
    answers: Floats = _patched(x, conv) @ dense.T + bias
    return answers


def pair() -> dict[str, bytes]:
    """The bytes of both files by their names: "float32" and "int8"."""
    x = _images(512, seed=1 << 31).astype(np.float32) / 255
    inner, outer = (_steps(seen) for seen in (_patched(x, _weights()[0]), _answers(x)))
    return {"float32": _file(None, None), "int8": _file(inner, outer)}


def _steps(seen: Floats) -> QuantizationParameters:
    low, high = float(min(seen.min(), 0)), float(max(seen.max(), 0))
    scale = (high - low) / 255
    return QuantizationParameters(scales=(scale,), zero_point=round(-128 - low / scale))


def _file(inner: QuantizationParameters | None, outer: QuantizationParameters | None) -> bytes:
    conv, dense, bias = _weights()
    writer, side = ModelWriter("streamed"), SIDE // PATCH
    dtype, steps = ("int8", _INPUT) if inner else ("float32", None)
    entry = writer.computed("input", dtype, (-1, SIDE, SIDE, 3), steps)
    patched = writer.computed("conv", dtype, (-1, side, side, CHANNELS), inner)
    valid = schema.Conv2DOptionsT(padding=schema.Padding.VALID, strideW=PATCH, strideH=PATCH)
    held = _held(writer, "conv", conv, np.zeros(CHANNELS, np.float32), steps)
    writer.operator("CONV_2D", 3 if inner else 1, [entry, *held], patched, valid)
    answer = writer.computed("dense", dtype, (-1, CLASSES), outer)
    held = _held(writer, "dense", dense, bias, inner)
    options: Any = schema.FullyConnectedOptionsT()
    writer.operator("FULLY_CONNECTED", 4 if inner else 1, [patched, *held], answer, options)
    return writer.finish([entry], [answer])


def _held(
    writer: ModelWriter,
    name: str,
    weights: Floats,
    bias: Floats,
    data: QuantizationParameters | None,
) -> tuple[int, int]:
    """The tensors of weights and bias, for data in these steps or in floats."""
    if data is None:
        return writer.constant(f"{name}/weight", weights), writer.constant(f"{name}/bias", bias)
    axes = tuple(range(1, weights.ndim))
    scales = np.abs(weights).max(axis=axes, keepdims=True) / 127
    integers = np.round(weights / scales).astype(np.int8)
    products = scales.ravel() * data.scales[0]
    added = np.round(bias / products).astype(np.int32)
    return (
        writer.constant(
            f"{name}/weight",
            integers,
            QuantizationParameters(scales=tuple(scales.ravel().tolist())),
        ),
        writer.constant(
            f"{name}/bias", added, QuantizationParameters(scales=tuple(products.tolist()))
        ),
    )

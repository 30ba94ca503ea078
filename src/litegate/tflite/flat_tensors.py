"""A tensor of a file: its shape, type and quantization, and whether its bytes suffice."""

from __future__ import annotations

import math
from typing import Any

from litegate.tflite.flatbuffer import File, MalformedError, name_of, numbers, text, within
from litegate.tflite.graph import Buffer, Tensor, bits

_MOST_DIMENSIONS = 64


def tensor_of(schema: Any, file: File, index: int, raw: Any, buffers: tuple[Buffer, ...]) -> Tensor:
    """One tensor of a graph; MalformedError for what it cannot be."""
    what = f"tensor {index}"
    shape = numbers(file, raw.ShapeAsNumpy())
    scales, zero_points, dimension = _quantization(file, what, shape, raw.Quantization())
    tensor = Tensor(
        index=index,
        name=text(raw.Name()),
        dtype=name_of(schema.TensorType, raw.Type(), f"the type of {what}").lower(),
        shape=shape,
        shape_signature=numbers(file, raw.ShapeSignatureAsNumpy()) or shape,
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        buffer=within(raw.Buffer(), len(buffers), f"buffer of {what}"),
        nbytes=buffers[raw.Buffer()].size,
        is_variable=bool(raw.IsVariable()),
    )
    if raw.Sparsity() is None:
        _check_bytes(what, tensor)
    return tensor


def _quantization(
    file: File, what: str, shape: tuple[int, ...], raw: Any
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if raw is None:
        return (), (), 0
    scales, zero_points = numbers(file, raw.ScaleAsNumpy()), numbers(file, raw.ZeroPointAsNumpy())
    if len(scales) != len(zero_points):
        raise MalformedError(f"{what} has {len(scales)} scales and {len(zero_points)} zero points")
    dimension = raw.QuantizedDimension()
    if len(scales) > 1:
        within(dimension, len(shape), f"quantized dimension of {what}")
        if len(scales) != shape[dimension]:
            raise MalformedError(f"{what} has {len(scales)} scales for {shape[dimension]} channels")
    return scales, zero_points, dimension


def _check_bytes(what: str, tensor: Tensor) -> None:
    if len(tensor.shape) > _MOST_DIMENSIONS:
        raise MalformedError(f"{what} has {len(tensor.shape)} dimensions")
    if any(size < 0 for size in tensor.shape):
        raise MalformedError(f"{what} has the shape {tensor.shape}")
    needed = math.ceil(math.prod(tensor.shape) * bits(tensor.dtype) / 8)
    if tensor.is_constant and needed != tensor.nbytes and bits(tensor.dtype):
        raise MalformedError(f"{what} holds {tensor.nbytes} bytes, its shape needs {needed}")

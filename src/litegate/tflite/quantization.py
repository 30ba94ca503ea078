"""Quantize and dequantize arrays exactly, at a small cost beside an invocation.

The integer of a value is ``trunc(real / scale + copysign(0.5, real)) + zero point`` in float64,
clipped to the type. float32 gives the same result at a fifth of the cost unless the quotient is
close to half-way between two integers; only those values are computed again in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Values quantized at a time: their float32 work arrays, two of 256 KiB, stay in the processor's
cache. Larger blocks go through memory, smaller ones cost more calls of NumPy."""
_FLOAT32_ERROR = 2.0**-22
"""Bound of the relative error of a float32 quotient: the reciprocal and the product are each off by
at most half a unit in the last of 24 bits, and the bound is twice their sum."""
_FLOAT32_SCALES = (2.0**-100, 2.0**100)
"""Between these, a scale's reciprocal is a normal float32 number with full precision."""


def quantize(
    real: NDArray[Any], dtype: np.dtype[Any], scale: float, zero_point: int
) -> NDArray[Any]:
    """Quantize real values to integers of `dtype`, same shape, rounding half away from zero.

    Values out of range saturate. Raises ValueError if a value is NaN.
    """
    if real.dtype != np.float32 or not _fits_float32(dtype, scale, zero_point):
        return _quantize_float64(real, dtype, scale, zero_point)
    integers, flat = np.empty(real.shape, dtype), np.ascontiguousarray(real).reshape(-1)
    steps, whole = np.empty((2, min(BLOCK, flat.size)), np.float32)
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        block_out = integers.reshape(-1)[start : start + BLOCK]
        _quantize_float32(
            block, block_out, scale, zero_point, (steps[: block.size], whole[: block.size])
        )
    return integers


def _quantize_float32(
    real: NDArray[np.float32],
    out: NDArray[Any],
    scale: float,
    zero_point: int,
    room: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Fill `out`, shape (n,); `room` is two work arrays of that shape, which are overwritten."""
    steps, whole = room
    limits = np.iinfo(out.dtype)
    low, high = limits.min - zero_point, limits.max - zero_point
    with np.errstate(over="ignore", invalid="ignore"):  # infinity saturates, NaN is uncertain
        np.multiply(real, np.float32(1 / scale), out=steps)
        np.clip(steps, np.float32(low), np.float32(high), out=steps)
        np.rint(steps, out=whole)
        np.abs(np.subtract(steps, whole, out=steps), out=steps)
        certain = np.float32(0.5 - max(-low, high) * _FLOAT32_ERROR)
        uncertain = () if steps.max() < certain else np.flatnonzero(~(steps < certain))
        np.copyto(out, np.add(whole, np.float32(zero_point), out=whole), casting="unsafe")
    if len(uncertain):
        out[uncertain] = _quantize_float64(real[uncertain], out.dtype, scale, zero_point)


def _quantize_float64(
    real: NDArray[Any], dtype: np.dtype[Any], scale: float, zero_point: int
) -> NDArray[Any]:
    if np.isnan(real).any():
        raise ValueError("NaN")
    steps = np.asarray(real, dtype=np.float64) / scale
    rounded = np.trunc(steps + np.copysign(0.5, steps)) + zero_point
    limits = np.iinfo(dtype)
    integers: NDArray[Any] = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return integers


def dequantize(raw: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Dequantize integers to float32, rounding the product once."""
    with np.errstate(over="ignore"):  # overflow becomes infinity, which callers see
        if not _fits_float32(raw.dtype, scale, zero_point) or float(np.float32(scale)) != scale:
            return ((raw.astype(np.float64) - zero_point) * scale).astype(np.float32)
        real = raw.astype(np.float32)
        real -= np.float32(zero_point)
        real *= np.float32(scale)
        return real


def _fits_float32(dtype: np.dtype[Any], scale: float, zero_point: int) -> bool:
    """Return True if float32 represents every intermediate number exactly."""
    return (
        dtype.itemsize <= 2
        # a difference of two such numbers has 17 bits, float32 has 24
        and abs(zero_point) <= 1 << 15
        and _FLOAT32_SCALES[0] < scale < _FLOAT32_SCALES[1]
    )

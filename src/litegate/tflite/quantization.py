"""Between real values and the integers that stand for them: exact, and cheap beside an invocation.

A value's integer is ``trunc(real / scale + copysign(0.5, real)) + zero point`` in float64, kept
within the type. float32 says the same wherever the quotient is not about half-way between two
integers, at a fifth of the cost; what it cannot be sure of is computed in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Values at a time: float32 of so many stay in the processor's cache."""
_SURE = 2.0**-22
"""The share of a quotient that float32 may be off: a reciprocal and a product, each by half a unit
in the last of 24 bits, twice over."""
_SCALES = (2.0**-100, 2.0**100)
"""The scales whose reciprocals float32 holds in full."""


def quantized(
    real: NDArray[Any], dtype: np.dtype[Any], scale: float, zero_point: int
) -> NDArray[Any]:
    """Integers of `dtype` for real values, same shape: rounded half away from zero, saturating.

    ValueError where a value is NaN.
    """
    if real.dtype != np.float32 or not _small(dtype, scale, zero_point):
        return _exact(real, dtype, scale, zero_point)
    found, flat = np.empty(real.shape, dtype), np.ascontiguousarray(real).reshape(-1)
    one, other = np.empty((2, min(BLOCK, flat.size)), np.float32)
    for start in range(0, flat.size, BLOCK):
        part = flat[start : start + BLOCK]
        into = found.reshape(-1)[start : start + BLOCK]
        _quantize(part, into, scale, zero_point, (one[: part.size], other[: part.size]))
    return found


def _quantize(
    real: NDArray[np.float32],
    into: NDArray[Any],
    scale: float,
    zero_point: int,
    room: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Fill `into`; `room` is two arrays of the same shape (n,), whose values are lost."""
    steps, whole = room
    limits = np.iinfo(into.dtype)
    low, high = limits.min - zero_point, limits.max - zero_point
    with np.errstate(over="ignore", invalid="ignore"):  # infinity saturates, NaN is doubtful
        np.multiply(real, np.float32(1 / scale), out=steps)
        np.clip(steps, np.float32(low), np.float32(high), out=steps)
        np.rint(steps, out=whole)
        np.abs(np.subtract(steps, whole, out=steps), out=steps)
        sure = np.float32(0.5 - max(-low, high) * _SURE)
        doubtful = () if steps.max() < sure else np.flatnonzero(~(steps < sure))
        np.copyto(into, np.add(whole, np.float32(zero_point), out=whole), casting="unsafe")
    if len(doubtful):
        into[doubtful] = _exact(real[doubtful], into.dtype, scale, zero_point)


def _exact(real: NDArray[Any], dtype: np.dtype[Any], scale: float, zero_point: int) -> NDArray[Any]:
    if np.isnan(real).any():
        raise ValueError("NaN")
    steps = np.asarray(real, dtype=np.float64) / scale
    rounded = np.trunc(steps + np.copysign(0.5, steps)) + zero_point
    limits = np.iinfo(dtype)
    found: NDArray[Any] = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return found


def meant(raw: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """The real values, float32, that integers mean; the product rounded once."""
    with np.errstate(over="ignore"):  # beyond float32 lies infinity, as the caller sees
        if not _small(raw.dtype, scale, zero_point) or float(np.float32(scale)) != scale:
            return ((raw.astype(np.float64) - zero_point) * scale).astype(np.float32)
        found = raw.astype(np.float32)
        found -= np.float32(zero_point)
        found *= np.float32(scale)
        return found


def _small(dtype: np.dtype[Any], scale: float, zero_point: int) -> bool:
    """Whether float32 holds every number that is met."""
    return dtype.itemsize <= 2 and abs(zero_point) <= 1 << 15 and _SCALES[0] < scale < _SCALES[1]

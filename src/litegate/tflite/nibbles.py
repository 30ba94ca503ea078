"""Pack int4 values as `.tflite` files store them: two in a byte, the first in the lower half."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

INT4 = "int4"
"""The schema's name, in lower case; NumPy has no such type, so arrays of int4 values are int8."""


def pack_nibbles(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack values of any shape, clipped to -8 to 7, into bytes, shape (ceil(n / 2),)."""
    flat = np.clip(values.ravel(), -8, 7).astype(np.uint8) & 0x0F
    pairs = np.pad(flat, (0, len(flat) % 2)).reshape(-1, 2)
    packed: NDArray[np.uint8] = pairs[:, 0] | (pairs[:, 1] << 4)
    return packed


def unpack_nibbles(data: Any, count: int) -> NDArray[np.int8]:
    """Unpack `count` values, int8 from -8 to 7, from bytes."""
    packed = np.frombuffer(data, np.int8)
    return np.stack([np.left_shift(packed, 4) >> 4, packed >> 4], axis=1).ravel()[:count]

"""A sample as something to look at: a picture, a line, or a row of numbers."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.report.html.facts import Image, Numbers, Picture, Wave

MOST_SIDE = 48
"""Pixels; a larger picture is averaged down."""
MOST_POINTS = 120
"""Points of a line."""
MOST_NUMBERS = 12
"""A longer row is a line."""
_LEAST_SIDE = 4
_PNG = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB = 0, 2
"""PNG's colour types."""


def picture(sample: NDArray[Any], domain: tuple[float, float]) -> Picture:
    """Show one sample, of any shape; `domain` is the least and greatest value it may have."""
    shape = sample.shape
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= _LEAST_SIDE:
        return _image(_scaled(sample, domain))
    if len(shape) == 2 and min(shape) >= _LEAST_SIDE:
        return _image(_scaled(sample, domain)[:, :, None])
    flat = sample.reshape(-1)
    if len(flat) > MOST_NUMBERS and max(shape) == len(flat):
        return _wave(_scaled(flat, domain))
    shown = tuple(float(value) for value in flat[:MOST_NUMBERS])
    return Numbers(values=shown, left_out=len(flat) - len(shown))


def _scaled(values: NDArray[Any], domain: tuple[float, float]) -> NDArray[np.float64]:
    """From 0, the least of the domain, to 1, the greatest; the sample's own ends without one."""
    exact = np.asarray(values, dtype=np.float64)
    low, high = domain
    if not (np.isfinite([low, high]).all() and low < high):
        low, high = float(exact.min()), float(exact.max())
    scaled: NDArray[np.float64] = np.clip((exact - low) / ((high - low) or 1.0), 0.0, 1.0)
    return scaled


def _image(scaled: NDArray[np.float64]) -> Image:
    """Shape (height, width, 1 or 3), averaged down where it is large."""
    factor = -(-max(scaled.shape[:2]) // MOST_SIDE)
    down, across = (min(factor, size) for size in scaled.shape[:2])
    height, width = scaled.shape[0] // down, scaled.shape[1] // across
    blocks = scaled[: height * down, : width * across].reshape(height, down, width, across, -1)
    pixels = np.round(blocks.mean(axis=(1, 3)) * 255).astype(np.uint8)
    return Image(png=png(pixels), width=width, height=height)


def _wave(scaled: NDArray[np.float64]) -> Wave:
    """As many points as there is room for: of each stretch its ends, so that no peak is lost."""
    if len(scaled) <= MOST_POINTS:
        return Wave(values=tuple(scaled.tolist()))
    stretches = np.array_split(scaled, MOST_POINTS // 2)
    ends = ((stretch.min(), stretch.max()) for stretch in stretches)
    return Wave(values=tuple(float(value) for pair in ends for value in pair))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode pixels, uint8, shape (height, width, 1) for gray or (height, width, 3) for RGB.

    Format: Portable Network Graphics (W3C, third edition), one IDAT, no filter.
    """
    height, width, channels = pixels.shape
    colour = _GRAY if channels == 1 else _RGB
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _PNG + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

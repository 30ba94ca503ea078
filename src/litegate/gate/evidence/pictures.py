"""Make a picture of a sample: an image, a map of features, a line, or a row of numbers."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.report.html.page_data import Image, Numbers, Picture, Wave
from litegate.spec import Evaluation, Sequences, by_input, domain_of

MOST_PIXELS = 48 * 48
"""A larger image is averaged down: 40 of them in color are 276 KB before compression, about what a
page may spend on pictures (240 KB)."""
MOST_FEATURES = 64 * 64
"""A larger map of features is averaged down. MLPerf Tiny's keyword shape, 49x10, TFLM's, 49x40, and
98x40, a second in steps of 10 ms, stay whole; 64 colours instead of 256 make up for the bytes."""
MOST_POINTS = 120
"""Points of a line: 60 pairs of smallest and largest value; more cost bytes and look alike at this
size."""
MOST_NUMBERS = 32
"""A longer row of numbers becomes a line: bars of 32 numbers are still apart in a small picture."""
_MOST_FRAMES = 512
"""Frames of a sequence in its picture: more would be averaged away. The number is a choice."""
_POINT_BYTES = 10
"""Bytes of a line's point on the page, "x,y" with three digits each: an estimate, since a sheet is
planned before it is drawn."""
_BAR_BYTES = 80
"""Bytes of a number on the page: a rectangle with four attributes of up to four digits."""
_LEAST_SIDE = 4
"""Pixels; a smaller array is shown as numbers, as nobody recognizes anything in three rows."""
_OBLONG = 2
"""Times its other side: a longer array of one channel is a map of features, since cameras have 4:3
and 16:9."""
_IMAGE_DOMAINS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0))
"""The usual scalings of 8-bit pixels: 0 to 1, -1 to 1, uint8 and int8. An upright array with
another domain is a map of features, whose values no camera has."""
_PNG = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _PALETTE = 0, 2, 3
"""PNG's colour types."""
_VIRIDIS = bytes.fromhex("4401544828783e498931688e26828e1f9e8935b7796ece58b5de2bfde725")
"""Ten colours of the map viridis (van der Walt and Smith 2015), in even steps: lightness grows
evenly, for colour-blind eyes and on gray paper, too."""
_LEVELS = 64
"""Colours of a map of features, between those of viridis: fewer compress better (`MOST_FEATURES`),
and the eye tells no more apart."""


def picture_of(split: Evaluation, sample: int) -> Picture:
    """Make a picture of a sample; of several inputs, of the first image, or else of the first.

    That of a sequence shows its first frames.
    """
    x: Any = split.x
    where: Any = sample
    if isinstance(x, Sequences):
        start, stop = int(x.starts[sample]), int(x.stops[sample])
        where = slice(start, min(stop, start + _MOST_FRAMES))
    pictures = [picture(array[where], domain_of(split.domain, name)) for name, array in by_input(x)]
    return next((image for image in pictures if isinstance(image, Image)), pictures[0])


def page_bytes(picture: Picture) -> int:
    """Estimate the bytes of a picture on the page; base64 takes 4 bytes for 3."""
    match picture:
        case Image(png=png):
            return len(png) * 4 // 3
        case Wave(values=values):
            return len(values) * _POINT_BYTES
        case Numbers(values=values):
            return len(values) * _BAR_BYTES


def picture(sample: NDArray[Any], domain: tuple[float, float]) -> Picture:
    """Make a picture of a sample of any shape; `domain` is its minimum and maximum."""
    shape = sample.shape
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= _LEAST_SIDE:
        return _picture(sample, domain)
    if len(shape) == 2 and min(shape) >= _LEAST_SIDE:
        return _picture(sample[:, :, None], domain)
    flat = sample.reshape(-1)
    if len(flat) > MOST_NUMBERS and max(shape) == len(flat):
        return _wave(flat)
    return _numbers(flat)


def _picture(sample: NDArray[Any], domain: tuple[float, float]) -> Image:
    height, width, channels = sample.shape
    is_long = max(height, width) > _OBLONG * min(height, width)
    is_upright = height > width and domain not in _IMAGE_DOMAINS
    if channels == 1 and (is_long or is_upright):
        return _features(sample[:, :, 0])
    pixels = np.round(_averaged(_scaled(sample, domain), MOST_PIXELS) * 255).astype(np.uint8)
    note = f"{height} x {width} pixels"
    return Image(png=png(pixels), width=pixels.shape[1], height=pixels.shape[0], note=note)


def _features(values: NDArray[Any]) -> Image:
    """Draw a map of features, such as a spectrogram: time along x, the first feature at the bottom.

    The longer side is time. The colours span the sample's own values.
    """
    note = f"{values.shape[0]} x {values.shape[1]} values{_span(values)}"
    lying = values.T if values.shape[0] > values.shape[1] else values
    own = (-np.inf, np.inf)
    levels = np.round(_averaged(_scaled(lying[::-1, :, None], own), MOST_FEATURES) * (_LEVELS - 1))
    indices = levels.astype(np.uint8)
    encoded = png(indices, palette=_palette())
    height, width = indices.shape[:2]
    return Image(png=encoded, width=width, height=height, note=note, is_features=True)


def _palette() -> bytes:
    """Return the colours of the levels, three bytes each."""
    stops = np.frombuffer(_VIRIDIS, np.uint8).reshape(-1, 3)
    places = np.linspace(0, len(stops) - 1, _LEVELS)
    channels = [np.interp(places, np.arange(len(stops)), stop) for stop in stops.T]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8).tobytes()


def _span(values: NDArray[Any]) -> str:
    """Describe the smallest and the largest finite value; empty if none is finite."""
    exact = np.asarray(values, dtype=np.float64)
    finite = exact[np.isfinite(exact)]
    return f" from {finite.min():.4g} to {finite.max():.4g}" if finite.size else ""


def _scaled(values: NDArray[Any], domain: tuple[float, float]) -> NDArray[np.float64]:
    """Scale to 0 to 1 over the domain, or over the sample's own range if that is not finite."""
    exact = np.asarray(values, dtype=np.float64)
    low, high = domain
    if not (np.isfinite([low, high]).all() and low < high):
        finite = exact[np.isfinite(exact)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = np.clip((exact - low) / ((high - low) or 1.0), 0.0, 1.0)
    return np.nan_to_num(scaled)


def _averaged(scaled: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Average blocks of an array, shape (height, width, channels), down to `most` pixels."""
    height, width = scaled.shape[:2]
    factor = 1
    while (height // min(factor, height)) * (width // min(factor, width)) > most:
        factor += 1
    down, across = min(factor, height), min(factor, width)
    rows, columns = height // down, width // across
    blocks = scaled[: rows * down, : columns * across].reshape(rows, down, columns, across, -1)
    averages: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return averages


def _wave(values: NDArray[Any]) -> Wave:
    """Draw a line over the sample's own range, so that a quiet recording is no flat line.

    Keeps the minimum and maximum of each stretch of a long series, so that no peak is lost.
    """
    scaled = _scaled(values, (-np.inf, np.inf))
    note = f"{len(values):,} values{_span(values)}"
    if len(scaled) <= MOST_POINTS:
        return Wave(values=tuple(scaled.tolist()), note=note)
    stretches = np.array_split(scaled, MOST_POINTS // 2)
    extremes = ((stretch.min(), stretch.max()) for stretch in stretches)
    points = tuple(float(value) for extreme_pair in extremes for value in extreme_pair)
    return Wave(values=points, note=note)


def _numbers(flat: NDArray[Any]) -> Numbers:
    values = tuple(float(value) for value in flat[:MOST_NUMBERS])
    left_out = len(flat) - len(values)
    listed = ", ".join(f"{value:.4g}" for value in values)
    return Numbers(values=values, note=listed + (f" and {left_out:,} more" if left_out else ""))


def png(pixels: NDArray[np.uint8], palette: bytes = b"") -> bytes:
    """Encode pixels, uint8, shape (height, width, 1) for gray or (height, width, 3) for RGB.

    With a palette, three bytes a colour, gray is an index into it. Format: Portable Network
    Graphics (W3C, third edition), one IDAT, no filter.
    """
    height, width, channels = pixels.shape
    colour = _PALETTE if palette else _GRAY if channels == 1 else _RGB
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    # 8 bits a channel; PNG's only compression and filter methods; not interlaced.
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), *([(b"PLTE", palette)] if palette else [])]
    # zlib's level 9 compresses best; a picture has a few thousand pixels.
    chunks += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return _PNG + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

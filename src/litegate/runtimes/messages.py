"""Read and write messages of litegate and the program of a runtime: a JSON header, then bytes.

A message is the length of its header (four bytes, the least significant first), the header (a JSON
object in UTF-8) and as many bytes as the header's "bytes" says. Arrays are sent as those bytes, one
after another in C order; "arrays" in the header has the type and shape of each.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Header = dict[str, Any]

_LENGTH = struct.Struct("<I")
_MOST_HEADER = 1 << 20
"""Bytes of the longest header: above any list of arrays, and few enough that text instead of a
length is reported as such instead of being waited for."""
MOST_BYTES = 1 << 32
"""The most bytes after a header: more than a file or the answers to a part of the samples have."""


def write_message(stream: BinaryIO, header: Header, content: bytes = b"") -> None:
    """Write one message. Raises OSError if the other process has ended."""
    text = json.dumps(header | {"bytes": len(content)}).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    stream.write(content)
    stream.flush()


def read_message(stream: BinaryIO, most: int = MOST_BYTES) -> tuple[Header, bytes] | None:
    """Read one message with at most `most` bytes after its header; None at the end of the stream.

    Raises ValueError for anything else.
    """
    start = stream.read(_LENGTH.size)
    if not start:
        return None
    if len(start) < _LENGTH.size:
        raise ValueError(f"{start!r} instead of a header's length")
    (length,) = _LENGTH.unpack(start)
    if length > _MOST_HEADER:
        raise ValueError(f"{start!r} instead of a header's length")
    try:
        header = json.loads(_read(stream, length))
    except RecursionError as error:
        raise ValueError("a header that is nested too deeply") from error
    size = header.get("bytes") if isinstance(header, dict) else None
    if not isinstance(size, int) or size < 0:
        raise ValueError("a header that does not say how many bytes follow")
    if size > most:
        raise ValueError(f"{size:,} bytes after a header, where at most {most:,} belong")
    return header, _read(stream, size)


def _read(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ValueError(f"{len(content):,} bytes instead of {size:,}")
    return content


def write_arrays(stream: BinaryIO, header: Header, arrays: Sequence[NDArray[Any]]) -> None:
    """Write a message with arrays. Raises OSError if the other process has ended."""
    described = [{"dtype": str(array.dtype), "shape": array.shape} for array in arrays]
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    write_message(stream, header | {"arrays": described}, content)


def arrays_of(header: Header, content: bytes) -> list[NDArray[Any]]:
    """Return the arrays of a message. Raises ValueError or TypeError if it does not have them."""
    arrays, start = list[NDArray[Any]](), 0
    for described in header.get("arrays", ()):
        dtype, shape = _dtype(str(described["dtype"])), tuple(map(int, described["shape"]))
        count = prod(shape)
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{dtype} of shape {shape}")
        arrays.append(np.frombuffer(content, dtype, count, start).reshape(shape))
        start += count * dtype.itemsize
    if start != len(content):
        raise ValueError(f"{len(content):,} bytes, and arrays of {start:,}")
    return arrays


def _dtype(name: str) -> np.dtype[Any]:
    """Return a type by its name. Raises ValueError or TypeError; NumPy evaluates some names."""
    try:
        return np.dtype(name)
    except SyntaxError as error:
        raise ValueError(f"the type {name!r}") from error

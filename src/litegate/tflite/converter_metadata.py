"""Read the converter's metadata in a file: TensorFlow's version, and how the model was quantized.

The buffer CONVERSION_METADATA is a flatbuffer of its own (schema: tensorflow/compiler/mlir/lite/
schema/conversion_metadata.fbs). Its table has an environment, whose first field is the version, and
options, whose first field lists the optimization modes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import final

NAME = "CONVERSION_METADATA"
_MODES = {
    1001: "post-training, float16 weights",
    1002: "post-training, dynamic range",
    1003: "post-training, integers with a representative data set",
    1004: "post-training, int16 activations",
    2000: "quantization-aware training",
    3001: "random sparsity",
    3002: "block sparsity",
    3003: "structured sparsity",
}
"""`ModelOptimizationMode` of the schema."""
_FIRST, _SECOND = 4, 6
"""Offsets of a table's first and second field in its vtable."""
_LENGTH = 4
"""Bytes of the length before a vector's or string's elements."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The converter's metadata; empty if there is none, or none that can be read."""

    version: str = ""
    """TensorFlow's version."""
    modes: tuple[str, ...] = ()
    """Descriptions of the quantization or pruning modes."""


def read(data: bytes) -> Conversion:
    """Read the metadata; damaged metadata reads as empty, because no check depends on it."""
    try:
        root = _follow(data, 0)
        version = _string(data, _field(data, _table(data, root, _FIRST), _FIRST))
        modes = _vector(data, _field(data, _table(data, root, _SECOND), _FIRST))
    except struct.error:
        return Conversion()
    return Conversion(
        version=version, modes=tuple(_MODES.get(mode, f"unknown mode {mode}") for mode in modes)
    )


def _number(data: bytes, kind: str, at: int) -> int:
    if at < 0:
        raise struct.error("before the start")
    number: int = struct.unpack_from(f"<{kind}", data, at)[0]
    return number


def _follow(data: bytes, at: int) -> int:
    return at + _number(data, "I", at)


def _field(data: bytes, table: int, slot: int) -> int:
    """Return the position of a table's field; 0 if the table or the field is absent."""
    if not table:
        return 0
    fields = table - _number(data, "i", table)
    offset = _number(data, "H", fields + slot) if slot < _number(data, "H", fields) else 0
    return table + offset if offset else 0


def _table(data: bytes, table: int, slot: int) -> int:
    at = _field(data, table, slot)
    return _follow(data, at) if at else 0


def _string(data: bytes, at: int) -> str:
    if not at:
        return ""
    start = _follow(data, at)
    length = _number(data, "I", start)
    return data[start + _LENGTH :][:length].decode("utf-8", "backslashreplace")


def _vector(data: bytes, at: int) -> tuple[int, ...]:
    if not at:
        return ()
    start = _follow(data, at)
    return struct.unpack_from(f"<{_number(data, 'I', start)}i", data, start + _LENGTH)

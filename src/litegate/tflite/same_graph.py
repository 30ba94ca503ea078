"""Prove that a stripped file holds the same graph, by all that a runtime reads of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from litegate.core.errors import BuildError
from litegate.core.escaping import excerpt

_UNREAD: dict[str, frozenset[str]] = {
    "ModelT": frozenset({"description", "metadata", "metadataBuffer", "buffers"}),
    "SubGraphT": frozenset({"name", "debugMetadataIndex"}),
    "OperatorT": frozenset({"debugMetadataIndex"}),
    "TensorT": frozenset({"name", "buffer"}),
    "QuantizationParametersT": frozenset({"min", "max"}),
}
"""Fields that do not affect an output, by table: names, notes and the ranges of calibration.

The values behind `buffer` are compared in its place."""


def demand_same_graph(converted: bytes, stripped: bytes, *, subject: str = "the model") -> None:
    """Compare every operator, type, shape, scale, constant and signature of two files.

    Raises BuildError that names the first difference.
    """
    from ai_edge_litert import schema_py_generated as schema

    before, after = (schema.ModelT.InitFromPackedBuf(file, 0) for file in (converted, stripped))
    pairs = zip(_facts(before), _facts(after), strict=False)
    if before_and_after := next((pair for pair in pairs if pair[0] != pair[1]), None):
        raise BuildError(
            f"stripping {subject} changed its graph",
            expected=excerpt(str(before_and_after[0])),
            got=excerpt(str(before_and_after[1])),
            remedy="keep the file unchanged, and report this bug",
        )


_END = ("the end", None)


def _facts(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every field that a runtime reads with its path, and the end."""
    yield from _walk("model", model, lambda buffer: _bytes(model.buffers[buffer].data))
    yield _END


def _walk(path: str, value: Any, data: Callable[[int], bytes]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield path, len(value)
        for number, element in enumerate(value):
            yield from _walk(f"{path}[{number}]", element, data)
    elif hasattr(value, "__dict__"):
        kind = type(value).__name__
        if kind == "TensorT":
            yield f"{path}.data", data(value.buffer)
        for name, field in sorted(vars(value).items()):
            if name not in _UNREAD.get(kind, ()) and not _is_empty(field):
                yield from _walk(f"{path}.{name}", field, data)
    else:
        yield path, _bytes(value) if isinstance(value, np.ndarray) else value


def _is_empty(field: Any) -> bool:
    """Return True for an absent table, also for a quantization without scales."""
    if type(field).__name__ == "QuantizationParametersT":
        return field.scale is None and field.details is None
    return field is None


def _bytes(values: Any) -> bytes:
    return b"" if values is None else np.asarray(values).tobytes()

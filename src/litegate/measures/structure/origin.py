"""Origin: how a file was converted and quantized, as far as it tells; nothing here is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from litegate.measures.structure.tensor_roles import Role, roles
from litegate.tflite.converter_metadata import NAME, read
from litegate.tflite.graph import Graph, Tensor

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_TRAINED = ("FakeQuant", "/quant_", "quantize_layer")
"""What tfmot and its fake quantization leave in the names of tensors."""
UNSAID = "the file does not say"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a file comes from."""

    form: str
    """What its types are: "float32", "float16 weights", "dynamic range", "int8", "int16x8",
    "partly integer"."""
    way: str
    """How it was quantized: as the converter wrote it, else what tensor names point to."""
    converter: str
    """The description in the file and TensorFlow's version, where they stand there."""
    min_runtime: str
    """The first TensorFlow Lite that has every operator, as the converter wrote it."""


def origin(graph: Graph) -> Origin:
    """Read what a file says of itself, in its types, its metadata and its names."""
    entries = {one.name: bytes(graph.buffers[one.buffer].data) for one in graph.metadata}
    conversion = read(entries.get(NAME, b""))
    form = _form(graph)
    tensorflow = f"TensorFlow {conversion.version}" if conversion.version else ""
    return Origin(
        form=form,
        way=", ".join(conversion.modes) or ("none" if form == "float32" else _way(graph)),
        converter=", ".join(filter(None, (graph.description, tensorflow))) or UNSAID,
        min_runtime=_text(entries.get("min_runtime_version", b"")) or UNSAID,
    )


def _form(graph: Graph) -> str:
    held = set(_kinds(graph, Role.WEIGHT, Role.BIAS, Role.CONSTANT))
    passed = set(_kinds(graph, Role.ACTIVATION))
    weights, values = held - _FLOATS, passed - _FLOATS
    if not weights and not values:
        return "float16 weights" if "float16" in held else "float32"
    if passed & _FLOATS:
        return "partly integer" if values else "dynamic range"
    return "int16x8" if "int16" in values else "int8" if values <= {"int8", "uint8"} else "integer"


def _kinds(graph: Graph, *wanted: Role) -> Iterator[str]:
    """The types of real-valued tensors with one of the roles; shapes and indices are none.

    A graph of one operator has no activation between operators: there its ports stand for them.
    """
    for subgraph in graph.subgraphs:
        pairs = list(zip(subgraph.tensors, roles(subgraph), strict=True))
        inner = any(role is Role.ACTIVATION and _is_real(one) for one, role in pairs)
        ports = () if inner else (Role.INPUT, Role.OUTPUT)
        asked = (*wanted, *(ports if Role.ACTIVATION in wanted else ()))
        yield from (one.dtype for one, role in pairs if role in asked and _is_real(one))


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype in _FLOATS or bool(tensor.scales)


def _way(graph: Graph) -> str:
    names = (one.name for subgraph in graph.subgraphs for one in subgraph.tensors)
    if any(mark in name for name in names for mark in _TRAINED):
        return f"{UNSAID}; names of tensors point to quantization-aware training"
    return UNSAID


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")

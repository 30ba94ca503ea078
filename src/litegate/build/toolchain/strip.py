"""Strip a `.tflite`: take out what no device reads, and nothing that makes an output."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from litegate.core.errors import ArtifactError

_NEVER_READ = frozenset({b"CONVERSION_METADATA", b"debug_metadata"})
"""Metadata that tell how a file came about; whatever else there is, some runtime may read."""
_ALIGNMENT = 16
"""Bytes: what the schema asks of a buffer's data, so that a device may read it where it lies."""
_NONE = -1


def stripped(tflite: bytes, *, subject: str = "the model") -> bytes:
    """The same model without what no device reads.

    Out go the names of tensors and graphs, but for the model's inputs and outputs, the description,
    the converter's notes and debug metadata, the ranges seen in calibration (scales and zero points
    stay), and buffers that nothing refers to. Signatures stay. `tflite` is a converter's output,
    or a file that `litegate.tflite.reader` has parsed. Raises ArtifactError if it cannot be
    unpacked or keeps data outside the part that can be written again.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _unpacked(schema, tflite, subject)
    _demand_whole(model, subject)
    model.description = None
    for graph in model.subgraphs:
        _strip_graph(graph)
    _strip_metadata(model)
    _strip_buffers(schema, model)
    return _packed(schema, model)


def _unpacked(schema: Any, tflite: bytes, subject: str) -> Any:
    try:
        return schema.ModelT.InitFromPackedBuf(tflite, 0)
    except (struct.error, ValueError, TypeError, IndexError) as error:
        raise ArtifactError(
            f"{subject} is not a sound .tflite file",
            got="a part of it lies outside the file",
            remedy="build it again, or fetch it again if it came from elsewhere",
        ) from error


def _demand_whole(model: Any, subject: str) -> None:
    """Refuse what lies behind the flatbuffer, as in files of more than 2 GB."""
    operators = (one for graph in model.subgraphs for one in graph.operators or ())
    outside = (
        *(buffer.offset for buffer in model.buffers or ()),
        *(operator.largeCustomOptionsOffset for operator in operators),
    )
    if any(offset > 1 for offset in outside):  # 1 stands for a place not yet known
        raise ArtifactError(
            f"{subject} keeps data behind its flatbuffer, and cannot be written again",
            expected="a file whose buffers lie within it",
            remedy="leave it as it is",
        )


def _strip_graph(graph: Any) -> None:
    graph.name, graph.debugMetadataIndex = None, _NONE
    ports = {int(index) for index in (*_listed(graph.inputs), *_listed(graph.outputs))}
    for index, tensor in enumerate(_listed(graph.tensors)):
        if index not in ports:
            tensor.name = None
        tensor.quantization = _without_ranges(tensor.quantization)
    for operator in _listed(graph.operators):
        operator.debugMetadataIndex = _NONE


def _without_ranges(steps: Any) -> Any:
    """A tensor's scales and zero points; nothing where it has none."""
    if steps is None or (steps.scale is None and steps.details is None):
        return None
    steps.min = steps.max = None
    return steps


def _listed(vector: Any) -> Any:
    """A vector of the schema; an empty one where it is absent."""
    return () if vector is None else vector


def _strip_metadata(model: Any) -> None:
    kept = [one for one in _listed(model.metadata) if one.name not in _NEVER_READ]
    model.metadata = kept or None
    model.metadataBuffer = None  # of an older schema; nothing reads it


def _strip_buffers(schema: Any, model: Any) -> None:
    """Keep each buffer with data that something refers to, behind an empty one.

    A tensor without values needs no buffer of its own: it refers to buffer 0, as the schema says,
    whose bytes nobody reads.
    """
    places: dict[int, int] = {}
    kept = [schema.BufferT()]
    for owner in _owners(model):
        number, held = owner.buffer, model.buffers[owner.buffer]
        if number and held.data is not None and number not in places:
            places[number] = len(kept)
            kept.append(held)
        owner.buffer = places.get(number, 0)
    model.buffers = kept


def _owners(model: Any) -> Iterator[Any]:
    """Whatever refers to a buffer: tensors and metadata."""
    for graph in model.subgraphs:
        yield from _listed(graph.tensors)
    yield from _listed(model.metadata)


def _packed(schema: Any, model: Any) -> bytes:
    import flatbuffers

    for buffer in model.buffers:
        buffer.Pack = lambda builder, data=buffer.data: _pack_buffer(schema, builder, data)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _pack_buffer(schema: Any, builder: Any, data: Any) -> int:
    """Write a buffer with its data aligned, which the generated code leaves out."""
    vector = None
    if data is not None:
        raw = np.asarray(data, np.uint8).tobytes()
        builder.StartVector(1, len(raw), _ALIGNMENT)
        builder.head -= len(raw)
        builder.Bytes[builder.head : builder.head + len(raw)] = raw
        vector = builder.EndVector()
    schema.BufferStart(builder)
    if vector is not None:
        schema.BufferAddData(builder, vector)
    buffer: int = schema.BufferEnd(builder)
    return buffer

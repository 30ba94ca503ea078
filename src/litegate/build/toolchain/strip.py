"""Strip a `.tflite`: remove everything that no device reads, and nothing that affects outputs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from litegate.core.errors import ArtifactError

_NEVER_READ = frozenset({b"CONVERSION_METADATA", b"debug_metadata"})
"""Metadata about the file's conversion; any other metadata may be read by some runtime."""
_ALIGNMENT = 16
"""Alignment of a buffer's data in bytes: the schema requires it, so that devices read it in place.
"""
_NONE = -1
"""The schema's default of an index, which means none and takes no byte in the file."""


def stripped(tflite: bytes, *, subject: str = "the model") -> bytes:
    """Return the same model without everything that no device reads.

    Removes the names of graphs and of tensors other than the model's inputs and outputs, the
    description, the converter's and debug metadata, the ranges of calibration (scales and zero
    points stay), and unreferenced buffers. Signatures stay. `tflite` is a converter's output, or a
    file that `litegate.tflite.parser` has parsed. Raises ArtifactError if it cannot be unpacked,
    or has data outside its flatbuffer.
    """
    # Late, as `flatbuffers` below: only recipes with `strip` need them.
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(schema, tflite, subject)
    model.description = None
    for graph in model.subgraphs:
        _strip_graph(graph)
    _strip_metadata(model)
    _strip_buffers(schema, model)
    return pack(schema, model)


def unpack(schema: Any, tflite: bytes, subject: str) -> Any:
    """Unpack a file into the schema's `ModelT`.

    Raises ArtifactError if a part of it is outside the file, or outside its flatbuffer.
    """
    model = unpack_all(schema, tflite, subject)
    _demand_inside(model, subject)
    return model


def unpack_all(schema: Any, tflite: bytes, subject: str) -> Any:
    """Unpack a file that may have data behind its flatbuffer. Raises ArtifactError as `unpack`."""
    try:
        return schema.ModelT.InitFromPackedBuf(tflite, 0)
    except (struct.error, ValueError, TypeError, IndexError) as error:
        raise ArtifactError(
            f"{subject} is not a valid .tflite file",
            got="a part of it is outside the file",
            remedy="build or download it again",
        ) from error


def _demand_inside(model: Any, subject: str) -> None:
    """Raise ArtifactError for data behind the flatbuffer, as in files of more than 2 GB."""
    operators = (operator for graph in model.subgraphs for operator in graph.operators or ())
    outside = (
        *(buffer.offset for buffer in model.buffers or ()),
        *(operator.largeCustomOptionsOffset for operator in operators),
    )
    if any(offset > 1 for offset in outside):  # the schema uses 1 for an offset not yet known
        raise ArtifactError(
            f"{subject} stores data behind its flatbuffer, so it cannot be rewritten",
            expected="a file with all buffers in the flatbuffer",
            remedy="use it without stripping",
        )


def _strip_graph(graph: Any) -> None:
    graph.name, graph.debugMetadataIndex = None, _NONE
    ports = {int(index) for index in (*_vector(graph.inputs), *_vector(graph.outputs))}
    for index, tensor in enumerate(_vector(graph.tensors)):
        if index not in ports:
            tensor.name = None
        tensor.quantization = _without_ranges(tensor.quantization)
    for operator in _vector(graph.operators):
        operator.debugMetadataIndex = _NONE


def _without_ranges(quantization: Any) -> Any:
    """Return a tensor's quantization without ranges; None if it has no scales either."""
    if quantization is None or (quantization.scale is None and quantization.details is None):
        return None
    quantization.min = quantization.max = None
    return quantization


def _vector(vector: Any) -> Any:
    """Return a vector of the schema; an empty one if it is absent."""
    return () if vector is None else vector


def _strip_metadata(model: Any) -> None:
    metadata = [item for item in _vector(model.metadata) if item.name not in _NEVER_READ]
    model.metadata = metadata or None
    model.metadataBuffer = None  # a field of an older schema that nothing reads


def _strip_buffers(schema: Any, model: Any) -> None:
    """Keep the referenced buffers that have data, behind an empty buffer 0.

    A tensor without values refers to buffer 0, as the schema says; its bytes are never read.
    """
    new_indices: dict[int, int] = {}
    buffers = [schema.BufferT()]
    for owner in _buffer_owners(model):
        index, buffer = owner.buffer, model.buffers[owner.buffer]
        if index and buffer.data is not None and index not in new_indices:
            new_indices[index] = len(buffers)
            buffers.append(buffer)
        owner.buffer = new_indices.get(index, 0)
    model.buffers = buffers


def _buffer_owners(model: Any) -> Iterator[Any]:
    """Yield the tables that refer to a buffer: tensors and metadata."""
    for graph in model.subgraphs:
        yield from _vector(graph.tensors)
    yield from _vector(model.metadata)


def pack(schema: Any, model: Any) -> bytes:
    """Serialize a `ModelT` with aligned buffers."""
    import flatbuffers

    # `ModelT.Pack` calls this of each buffer; the generated method does not align the data.
    for buffer in model.buffers:
        buffer.Pack = lambda builder, data=buffer.data: _pack_buffer(schema, builder, data)
    builder = flatbuffers.Builder(4096)  # bytes to begin with; it grows by doubling
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _pack_buffer(schema: Any, builder: Any, data: Any) -> int:
    """Write a buffer with aligned data: the schema's generated code does not align it."""
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

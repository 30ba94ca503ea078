"""Read a `.tflite` file without running it: tensors, operators, buffers, metadata.

The format is the schema that LiteRT brings along; it is imported when a file is parsed, since it
brings NumPy in turn. Every index, length and reference is checked before it is followed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from litegate.core.errors import ArtifactError
from litegate.tflite.flat_operators import kind_of, operator_of
from litegate.tflite.flat_order import check_order
from litegate.tflite.flat_tensors import tensor_of
from litegate.tflite.flatbuffer import File, MalformedError, indices, tables, text, within
from litegate.tflite.graph import Buffer, Graph, Metadata, Signature, Subgraph

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3


@lru_cache(maxsize=8)
def parse(tflite: bytes, *, subject: str = "the model", signature: str = "") -> Graph:
    """Read the bytes of a `.tflite` file; its main graph is that of `signature`, else the first.

    Takes time and memory in proportion to the file, whatever its bytes are. Raises ArtifactError,
    naming `subject`, where they are not one whole TFLite file that this LiteRT can know, or have no
    such signature.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        return _entered(_graph(schema, File(tflite)), signature, subject)
    except MalformedError as error:
        raise _refusal(tflite, subject, str(error)) from None
    except (struct.error, ValueError, TypeError) as error:
        raise _refusal(tflite, subject, "a part of it lies outside the file") from error


def _entered(graph: Graph, signature: str, subject: str) -> Graph:
    if not signature:
        return graph
    places = {one.name: one.graph for one in graph.signatures}
    if signature not in places:
        raise ArtifactError(
            f"{subject} has no signature {signature!r}",
            expected=", ".join(places) or "no name, for the file has no signature",
            remedy="correct the name of the signature",
        )
    return replace(graph, entry=places[signature])


def _refusal(tflite: bytes, subject: str, got: str) -> ArtifactError:
    return ArtifactError(
        f"{subject} is not a sound .tflite file ({len(tflite):,} bytes)",
        got=got,
        remedy="build it again, or fetch it again if it came from elsewhere",
    )


def _graph(schema: Any, file: File) -> Graph:
    if file.find(_IDENTIFIER, 4, 8) != 4:
        raise MalformedError(f"no identifier {_IDENTIFIER.decode()}" if file else "no bytes at all")
    model = schema.Model.GetRootAs(file, 0)
    if model.Version() != _SCHEMA_VERSION:
        raise MalformedError(f"schema version {model.Version()}, expected {_SCHEMA_VERSION}")
    if model.ExternalBuffersLength():
        raise MalformedError("it keeps weights in another file")
    buffers = tuple(
        _buffer(file, raw) for raw in tables(file, model.BuffersLength(), model.Buffers)
    )
    subgraphs = tuple(_subgraphs(schema, file, model, buffers))
    if not subgraphs:
        raise MalformedError("it holds no graph")
    signatures = tuple(_signatures(file, model, subgraphs))
    signed = {one.graph for one in signatures}
    return Graph(
        description=text(model.Description()),
        subgraphs=tuple(replace(one, signed=one.index in signed) for one in subgraphs),
        buffers=buffers,
        metadata=tuple(_metadata(file, model, len(buffers))),
        signatures=signatures,
    )


def _buffer(file: File, raw: Any) -> Buffer:
    data = raw.DataAsNumpy()
    if not isinstance(data, int):
        return Buffer(data=memoryview(data))
    start, size = raw.Offset(), raw.Size()
    if start <= 1:  # 1 is what a converter writes before it knows the place
        return Buffer(data=memoryview(b""))
    if start + size > len(file):
        raise MalformedError("a buffer lies outside the file")
    return Buffer(data=memoryview(file)[start : start + size])


def _metadata(file: File, model: Any, buffers: int) -> Iterator[Metadata]:
    for raw in tables(file, model.MetadataLength(), model.Metadata):
        name = text(raw.Name())
        yield Metadata(name=name, buffer=within(raw.Buffer(), buffers, f"buffer of {name}"))


def _signatures(file: File, model: Any, subgraphs: tuple[Subgraph, ...]) -> Iterator[Signature]:
    for raw in tables(file, model.SignatureDefsLength(), model.SignatureDefs):
        name = text(raw.SignatureKey())
        index = within(raw.SubgraphIndex(), len(subgraphs), f"graph of signature {name}")
        tensors = len(subgraphs[index].tensors)
        yield Signature(
            name=name,
            graph=index,
            inputs=tuple(_named(file, raw.InputsLength(), raw.Inputs, tensors, "input")),
            outputs=tuple(_named(file, raw.OutputsLength(), raw.Outputs, tensors, "output")),
        )


def _named(
    file: File, length: int, get: Callable[[int], Any], tensors: int, what: str
) -> Iterator[tuple[int, str]]:
    for raw in tables(file, length, get):
        name = text(raw.Name())
        yield within(raw.TensorIndex(), tensors, f"signature's {what} {name}"), name


def _subgraphs(
    schema: Any, file: File, model: Any, buffers: tuple[Buffer, ...]
) -> Iterator[Subgraph]:
    kinds = [
        kind_of(schema, raw)
        for raw in tables(file, model.OperatorCodesLength(), model.OperatorCodes)
    ]
    for index, raw in enumerate(tables(file, model.SubgraphsLength(), model.Subgraphs)):
        tensors = tuple(
            tensor_of(schema, file, n, one, buffers)
            for n, one in enumerate(tables(file, raw.TensorsLength(), raw.Tensors))
        )
        operators = tuple(
            operator_of(schema, file, n, one, kinds, len(tensors))
            for n, one in enumerate(tables(file, raw.OperatorsLength(), raw.Operators))
        )
        inputs, outputs = raw.InputsAsNumpy(), raw.OutputsAsNumpy()
        subgraph = Subgraph(
            index=index,
            name=text(raw.Name()),
            tensors=tensors,
            operators=operators,
            inputs=indices(file, inputs, len(tensors), f"input of graph {index}"),
            outputs=indices(file, outputs, len(tensors), f"output of graph {index}"),
        )
        check_order(subgraph)
        yield subgraph

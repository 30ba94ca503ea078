"""Count the bytes of a `.tflite` file by tensor, operator and other contents.

Tables are measured as the file stores them. What tables share (their vtables), alignment and the
like are not attributed to anything.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from litegate.core.errors import ArtifactError
from litegate.measures.regression.graph_matching import PlacedOperator, PlacedTensor, tensors
from litegate.spec import Artifact
from litegate.tflite.graph import Graph
from litegate.tflite.parser import parse

DESCRIPTIONS = "names and scales of tensors"
UNUSED_BUFFERS = "buffers that nothing reads"
_COUNT, _INDEX, _NUMBER, _ZERO_POINT, _END = 4, 4, 4, 8, 1
"""Bytes of a vector's length, a reference, a size or scale, a zero point, a string's null byte."""

_Position = tuple[int, int]
"""The index of a subgraph, and of a tensor or operator in it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ByteCounts:
    """A graph with the bytes that its contents take in the file."""

    graph: Graph
    values: Mapping[_Position, int]
    """Bytes of each constant; a shared buffer counts for the first tensor."""
    operators: Mapping[_Position, int]
    """Bytes of each operator: its table, its lists of tensors and its options."""
    totals: Mapping[str, int]
    """Bytes of contents that are counted for the whole file, by label."""

    def tensor_bytes(self, placed: PlacedTensor) -> int:
        """Return the bytes of a tensor's stored values."""
        return self.values[placed.graph, placed.tensor.index]

    def operator_bytes(self, placed_operators: Sequence[PlacedOperator]) -> int:
        """Return the bytes of operators, without their tensors."""
        return sum(
            self.operators[placed.graph, placed.operator.index] for placed in placed_operators
        )


def count_bytes(artifact: Artifact) -> ByteCounts:
    """Count the bytes of a file; raise ArtifactError if it cannot be read."""
    # Late, as in `tflite.parser`: only a file that is read needs the schema.
    from ai_edge_litert import schema_py_generated as schema

    graph = parse(artifact.tflite, subject=artifact.name)
    values, other_bytes = _buffer_bytes(graph)
    try:
        model = schema.Model.GetRootAs(artifact.tflite, 0)
        operators, descriptions = dict(_operator_bytes(model)), sum(_description_bytes(model))
    except (struct.error, ValueError, TypeError) as error:
        raise ArtifactError(
            f"the parts of {artifact.name} cannot be weighed",
            got=str(error),
            remedy="build or download it again",
        ) from error
    totals = {DESCRIPTIONS: descriptions} | other_bytes
    return ByteCounts(graph=graph, values=values, operators=operators, totals=totals)


def _buffer_bytes(graph: Graph) -> tuple[dict[_Position, int], dict[str, int]]:
    """Return the bytes of tensors' buffers, and of other buffers by label; each counts once."""
    unassigned = {number: buffer.size for number, buffer in enumerate(graph.buffers)}
    values = {
        (placed.graph, placed.tensor.index): unassigned.pop(placed.tensor.buffer, 0)
        for placed in tensors(graph)
    }
    other_bytes: Counter[str] = Counter()
    for entry in graph.metadata:
        other_bytes[f"metadata {entry.name!r}"] += unassigned.pop(entry.buffer, 0)
    return values, dict(other_bytes) | {UNUSED_BUFFERS: sum(unassigned.values())}


def _subgraphs(model: Any) -> Iterator[Any]:
    return map(model.Subgraphs, range(model.SubgraphsLength()))


def _operator_bytes(model: Any) -> Iterator[tuple[_Position, int]]:
    for number, subgraph in enumerate(_subgraphs(model)):
        for index in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(index)
            lists = (operator.InputsLength(), operator.OutputsLength())
            size = _INDEX + _table_bytes(_flatbuffer_table(operator), operator.BuiltinOptions())
            yield (number, index), size + sum(_vector_bytes(count, _INDEX) for count in lists)


def _description_bytes(model: Any) -> Iterator[int]:
    for subgraph in _subgraphs(model):
        for index in range(subgraph.TensorsLength()):
            tensor = subgraph.Tensors(index)
            shapes = (tensor.ShapeLength(), tensor.ShapeSignatureLength())
            yield (
                _INDEX
                + _table_bytes(_flatbuffer_table(tensor))
                + sum(_vector_bytes(n, _NUMBER) for n in shapes)
            )
            yield _vector_bytes(len(tensor.Name() or b""), 1) + _END
            yield _quantization_bytes(tensor.Quantization())


def _quantization_bytes(quantization: Any) -> int:
    if quantization is None:
        return 0
    floats = ("Min", "Max", "Scale")
    lists = (getattr(quantization, f"{name}Length")() for name in floats)
    zero_points = _vector_bytes(quantization.ZeroPointLength(), _ZERO_POINT)
    size = _table_bytes(_flatbuffer_table(quantization), quantization.Details())
    return size + zero_points + sum(_vector_bytes(n, _NUMBER) for n in lists)


def _vector_bytes(count: int, element_size: int) -> int:
    return _COUNT + count * element_size if count else 0


def _flatbuffer_table(reader: Any) -> Any:
    return reader._tab  # noqa: SLF001 the generated reader has no public access to it


def _table_bytes(*tables: Any) -> int:
    """Sum the bytes of flatbuffer tables without their shared vtables; None counts as 0."""
    size = 0
    for table in filter(None, tables):
        (vtable_offset,) = struct.unpack_from("<i", table.Bytes, table.Pos)
        size += struct.unpack_from("<H", table.Bytes, table.Pos - vtable_offset + 2)[0]
    return size

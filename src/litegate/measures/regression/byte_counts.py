"""What each part of a `.tflite` file takes of its bytes.

The file's own tables are measured where they lie; what tables share (their layouts), alignment and
the like belong to no part.
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
from litegate.tflite.reader import parse

DESCRIPTIONS = "names and scales of tensors"
UNREAD = "buffers that nothing reads"
_COUNT, _INDEX, _NUMBER, _ZERO_POINT, _END = 4, 4, 4, 8, 1
"""Bytes of one of each: a vector's count, a reference, a size or scale, a text's last byte."""

_Place = tuple[int, int]
"""The index of a subgraph, and that of a tensor or operator in it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A file and the bytes of its parts."""

    graph: Graph
    values: Mapping[_Place, int]
    """Bytes of each constant; a buffer that tensors share counts to the first."""
    operators: Mapping[_Place, int]
    """Bytes of each operator: its table, its lists of tensors, its options."""
    totals: Mapping[str, int]
    """Bytes of what is told of the file as a whole, by its label."""

    def of_tensor(self, one: PlacedTensor) -> int:
        """Bytes of the values that the file holds of a tensor."""
        return self.values[one.graph, one.tensor.index]

    def of_operators(self, them: Sequence[PlacedOperator]) -> int:
        """Bytes of some operators, without the tensors around them."""
        return sum(self.operators[one.graph, one.operator.index] for one in them)


def weigh(artifact: Artifact) -> Weighed:
    """Weigh a file; ArtifactError where it cannot be read."""
    from ai_edge_litert import schema_py_generated as schema

    graph = parse(artifact.tflite, subject=artifact.name)
    values, others = _buffers(graph)
    try:
        model = schema.Model.GetRootAs(artifact.tflite, 0)
        operators, descriptions = dict(_operators(model)), sum(_descriptions(model))
    except (struct.error, ValueError, TypeError) as error:
        raise ArtifactError(
            f"the parts of {artifact.name} cannot be weighed",
            got=str(error),
            remedy="build it again, or fetch it again if it came from elsewhere",
        ) from error
    totals = {DESCRIPTIONS: descriptions} | others
    return Weighed(graph=graph, values=values, operators=operators, totals=totals)


def _buffers(graph: Graph) -> tuple[dict[_Place, int], dict[str, int]]:
    """Bytes of each buffer, as a tensor's, as a metadata entry's, or as nobody's; each once."""
    left = {number: buffer.size for number, buffer in enumerate(graph.buffers)}
    values = {
        (one.graph, one.tensor.index): left.pop(one.tensor.buffer, 0) for one in tensors(graph)
    }
    others: Counter[str] = Counter()
    for entry in graph.metadata:
        others[f"metadata {entry.name!r}"] += left.pop(entry.buffer, 0)
    return values, dict(others) | {UNREAD: sum(left.values())}


def _subgraphs(model: Any) -> Iterator[Any]:
    return map(model.Subgraphs, range(model.SubgraphsLength()))


def _operators(model: Any) -> Iterator[tuple[_Place, int]]:
    for number, subgraph in enumerate(_subgraphs(model)):
        for index in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(index)
            lists = (operator.InputsLength(), operator.OutputsLength())
            size = _INDEX + _tables(_table(operator), operator.BuiltinOptions())
            yield (number, index), size + sum(_vector(count, _INDEX) for count in lists)


def _descriptions(model: Any) -> Iterator[int]:
    for subgraph in _subgraphs(model):
        for index in range(subgraph.TensorsLength()):
            tensor = subgraph.Tensors(index)
            shapes = (tensor.ShapeLength(), tensor.ShapeSignatureLength())
            yield _INDEX + _tables(_table(tensor)) + sum(_vector(n, _NUMBER) for n in shapes)
            yield _vector(len(tensor.Name() or b""), 1) + _END
            yield _steps(tensor.Quantization())


def _steps(quantization: Any) -> int:
    if quantization is None:
        return 0
    floats = ("Min", "Max", "Scale")
    lists = (getattr(quantization, f"{name}Length")() for name in floats)
    zero_points = _vector(quantization.ZeroPointLength(), _ZERO_POINT)
    return _tables(_table(quantization)) + zero_points + sum(_vector(n, _NUMBER) for n in lists)


def _vector(count: int, each: int) -> int:
    return _COUNT + count * each if count else 0


def _table(one: Any) -> Any:
    return one._tab  # noqa: SLF001 the generated reader offers no other way to where it lies


def _tables(*tables: Any) -> int:
    """Bytes of flatbuffer tables, absent ones left out, without the layouts that they share."""
    size = 0
    for table in filter(None, tables):
        (back,) = struct.unpack_from("<i", table.Bytes, table.Pos)
        size += struct.unpack_from("<H", table.Bytes, table.Pos - back + 2)[0]
    return size

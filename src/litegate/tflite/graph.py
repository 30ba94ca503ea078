"""What a `.tflite` file holds: tensors, the operators that compute them, buffers, metadata."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import final

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
"""Types of tensors that are no integers."""
ABSENT = -1
"""Stands in an operator's inputs or outputs for an optional one that is left out."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """Bytes that tensors and metadata refer to by index."""

    data: memoryview = field(repr=False)
    """A read-only view into the file; empty where nothing is stored."""

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self.data.nbytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor of a subgraph."""

    index: int
    name: str
    dtype: str
    """The schema's name in lower case: "int8", "float32"."""
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    """The shape with -1 where a size is free; the shape itself where the file has no signature."""
    scales: tuple[float, ...] = ()
    """One for the tensor or one for each channel; none where it is not quantized."""
    zero_points: tuple[int, ...] = ()
    """As many as there are scales."""
    quantized_dimension: int = 0
    """The dimension that several scales run along."""
    buffer: int = 0
    nbytes: int = 0
    """Bytes of the file that its buffer takes."""
    is_variable: bool = False
    """Keeps its value from one invocation to the next."""

    @property
    def is_constant(self) -> bool:
        """Whether the file holds its values."""
        return self.nbytes > 0

    @property
    def memory(self) -> int | None:
        """Bytes that its values take unpacked, shape by type; None for types without a size."""
        size = bits(self.dtype)
        return math.ceil(math.prod(self.shape) * size / 8) if size else None


def bits(dtype: str) -> int:
    """Bits of one element, as its type's name says; 0 for types without a fixed size."""
    digits = re.search(r"\d+", dtype)
    return int(digits[0]) if digits else 8 * (dtype == "bool")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One step of a subgraph, in the order of execution."""

    index: int
    name: str
    """The schema's name: "CONV_2D"; "CUSTOM" for one that LiteRT does not bring along."""
    version: int
    custom_code: str = ""
    """The name of a custom operator; Flex operators begin with "Flex"."""
    inputs: tuple[int, ...]
    """Tensor indices; ABSENT for an optional input that is left out."""
    outputs: tuple[int, ...]
    activation: str = "NONE"
    """The fused activation: "NONE", "RELU", "RELU6", ..."""
    options: tuple[tuple[str, int], ...] = ()
    """What shapes alone do not say: ("stride_h", 2), ("dilation_w", 1), ("adj_x", 0)."""

    def option(self, name: str, default: int) -> int:
        """One of its options; `default` where its kind has none of that name."""
        return dict(self.options).get(name, default)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """Tensors and the operators that compute them."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signed: bool = False
    """Whether a signature of the file names it."""

    @property
    def is_entry(self) -> bool:
        """Whether its inputs and outputs are a model's: the first graph, and each that is named."""
        return self.index == 0 or self.signed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A name for one of a file's graphs, and names for the graph's inputs and outputs."""

    name: str
    graph: int
    inputs: tuple[tuple[int, str], ...]
    """Tensor indices and names."""
    outputs: tuple[tuple[int, str], ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """A named buffer that no tensor refers to, such as "min_runtime_version"."""

    name: str
    buffer: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What a `.tflite` file holds."""

    description: str
    subgraphs: tuple[Subgraph, ...]
    """At least one."""
    buffers: tuple[Buffer, ...]
    metadata: tuple[Metadata, ...]
    signatures: tuple[Signature, ...] = ()
    entry: int = 0
    """Which subgraph is judged: that of a named signature, else the first."""

    @property
    def main(self) -> Subgraph:
        """The subgraph whose inputs and outputs are the model's."""
        return self.subgraphs[self.entry]

    def output_names(self, graph: int) -> dict[int, str]:
        """Outputs of a subgraph by tensor index, and what its signatures call them."""
        signed = (one.outputs for one in self.signatures if one.graph == graph)
        return {index: name for outputs in signed for index, name in outputs}

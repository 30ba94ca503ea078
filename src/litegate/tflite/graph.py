"""Represent a parsed `.tflite` file: tensors, operators, buffers, signatures and metadata."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import final

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
"""Floating-point tensor types; every other type counts as integer."""
ABSENT = -1
"""The tensor index of an optional operator input or output that is left out."""


ACCELERATOR_OPERATORS = frozenset({"ethos-u", "edgetpu-custom-op"})
"""Custom operators that a compiler for an accelerator puts in place of those that it takes; LiteRT
does not run them."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """Bytes that tensors and metadata refer to by index."""

    data: memoryview = field(repr=False)
    """A read-only view into the file; empty if nothing is stored."""

    @property
    def size(self) -> int:
        """Number of bytes."""
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
    """The shape with -1 for each dynamic size; `shape` itself if the file has no signature."""
    scales: tuple[float, ...] = ()
    """One for the tensor or one for each channel; empty if it is not quantized."""
    zero_points: tuple[int, ...] = ()
    """One for each scale."""
    quantized_dimension: int = 0
    """The dimension that several scales run along."""
    block_scales: int = ABSENT
    """The index of the tensor with a scale for each block of values; ABSENT if there is none."""
    block_size: int = 0
    """Values in a block, along the last dimension; 0 without blocks."""
    buffer: int = 0
    nbytes: int = 0
    """Size of its buffer in the file, in bytes."""
    is_variable: bool = False
    """Its value persists from one invocation to the next."""
    is_sparse: bool = False
    """Its buffer has only the values that tables locate; all others are zero."""

    @property
    def is_constant(self) -> bool:
        """Return True if the file stores its values."""
        return self.nbytes > 0

    @property
    def is_quantized(self) -> bool:
        """Return True if it has scales of its own, or a tensor with a scale for each block."""
        return bool(self.scales) or self.block_scales != ABSENT

    @property
    def memory(self) -> int | None:
        """Bytes of its values, unpacked, by shape and type; None for types without a fixed size."""
        size = bits(self.dtype)
        return math.ceil(math.prod(self.shape) * size / 8) if size else None


@cache
def bits(dtype: str) -> int:
    """Bits of one element, read from the type's name; 0 for types without a fixed size."""
    digits = re.search(r"\d+", dtype)
    return int(digits[0]) if digits else 8 * (dtype == "bool")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One step of a subgraph, in the order of execution."""

    index: int
    name: str
    """The schema's name: "CONV_2D"; "CUSTOM" for an operator that is not built into LiteRT."""
    version: int
    custom_code: str = ""
    """The name of a custom operator; the names of Flex operators begin with "Flex"."""
    inputs: tuple[int, ...]
    """Tensor indices; ABSENT for an omitted optional input."""
    outputs: tuple[int, ...]
    activation: str = "NONE"
    """The fused activation: "NONE", "RELU", "RELU6", ..."""
    options: tuple[tuple[str, int], ...] = ()
    """Options that the shapes do not imply: ("stride_h", 2), ("dilation_w", 1), ("adj_x", 0)."""
    variable: str = ""
    """The container and the name of the variable whose handle a VAR_HANDLE gives."""

    def option(self, name: str, default: int) -> int:
        """Return the option `name`, or `default` if this kind of operator has no such option."""
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
    """A signature of the file names it."""

    @property
    def is_entry(self) -> bool:
        """Return True if callers can run it: the first subgraph, or one that a signature names."""
        return self.index == 0 or self.signed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Names for one of the file's subgraphs and for its inputs and outputs."""

    name: str
    graph: int
    """The index of the subgraph."""
    inputs: tuple[tuple[int, str], ...]
    """Pairs of tensor index and name."""
    outputs: tuple[tuple[int, str], ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """A named buffer that belongs to no tensor, such as "min_runtime_version"."""

    name: str
    buffer: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A parsed `.tflite` file."""

    description: str
    subgraphs: tuple[Subgraph, ...]
    """At least one."""
    buffers: tuple[Buffer, ...]
    metadata: tuple[Metadata, ...]
    signatures: tuple[Signature, ...] = ()
    entry: int = 0
    """The index of the subgraph to judge: the requested or only signature's, else the first."""

    @property
    def main(self) -> Subgraph:
        """The subgraph to judge; its inputs and outputs are the model's."""
        return self.subgraphs[self.entry]

    @property
    def is_compiled(self) -> bool:
        """Return True if a compiler for an accelerator made it, so that LiteRT cannot run it."""
        return any(
            operator.custom_code in ACCELERATOR_OPERATORS
            for subgraph in self.subgraphs
            for operator in subgraph.operators
        )

    def output_names(self, graph: int) -> dict[int, str]:
        """Return the names that the signatures give a subgraph's outputs, by tensor index."""
        signed = (signature.outputs for signature in self.signatures if signature.graph == graph)
        return {index: name for outputs in signed for index, name in outputs}


def sole_graph(signed_graphs: Sequence[int]) -> int:
    """Return the graph to judge if no signature is requested, from the graphs that are signed.

    It is that of the file's only signature: callers run a file by its signature, wherever the
    converter put the graph. Without a signature, or with several, it is the first graph.
    """
    return signed_graphs[0] if len(signed_graphs) == 1 else 0

"""Recognize files that Vela compiled for an Ethos-U."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from litegate.tflite.graph import Graph, Operator, Subgraph

NPU_OPERATOR = "ethos-u"
"""The custom operator that Vela puts in place of those that the NPU runs, with their commands."""
_COMMANDS, _CONSTANTS = 0, 1
"""Its first operands; tensorflow/lite/micro/kernels/ethos_u/ethosu.cc of tflite-micro has all."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NpuContents:
    """The parts of a file that are for an Ethos-U."""

    operators: int
    """Number of operators of all graphs that the NPU runs; 0 for a file that is not compiled."""
    commands: int
    """Bytes of its commands."""
    constants: int
    """Bytes of its weights and other constants, as they are packed for it."""


def npu_operators(graph: Graph) -> int:
    """Count the operators of all graphs that an Ethos-U runs; 0 for a file that is not compiled."""
    return sum(1 for _ in _npu_operators(graph))


def npu_contents(graph: Graph) -> NpuContents:
    """Measure the parts of a file that are for an Ethos-U."""
    found = list(_npu_operators(graph))
    return NpuContents(
        operators=len(found),
        commands=sum(_operand_bytes(*place, _COMMANDS) for place in found),
        constants=sum(_operand_bytes(*place, _CONSTANTS) for place in found),
    )


def _npu_operators(graph: Graph) -> Iterator[tuple[Subgraph, Operator]]:
    for subgraph in graph.subgraphs:
        for operator in subgraph.operators:
            if operator.custom_code == NPU_OPERATOR:
                yield subgraph, operator


def _operand_bytes(subgraph: Subgraph, operator: Operator, number: int) -> int:
    """Return the bytes of a constant operand; 0 if there is none."""
    indices = operator.inputs[number : number + 1]
    return sum(subgraph.tensors[index].nbytes for index in indices if index >= 0)

"""Recognize files that Vela compiled for an Ethos-U."""

from __future__ import annotations

from litegate.tflite.graph import Graph

NPU_OPERATOR = "ethos-u"
"""The custom operator that Vela puts in place of those that the NPU runs, with their commands."""


def npu_operators(graph: Graph) -> int:
    """Count the operators of all graphs that an Ethos-U runs; 0 for a file that is not compiled."""
    return sum(
        operator.custom_code == NPU_OPERATOR
        for subgraph in graph.subgraphs
        for operator in subgraph.operators
    )

"""Whether every value of a graph is there before it is read."""

from __future__ import annotations

from litegate.tflite.flatbuffer import MalformedError
from litegate.tflite.graph import ABSENT, Subgraph


def check_order(subgraph: Subgraph) -> None:
    """MalformedError where an operator, or the caller, reads what nothing has written."""
    ready = {t.index for t in subgraph.tensors if t.is_constant or t.is_variable or 0 in t.shape}
    ready |= {ABSENT, *subgraph.inputs}
    _check_variables(subgraph)
    for operator in subgraph.operators:
        if not ready.issuperset(operator.inputs):
            raise MalformedError(
                f"operator {operator.index} reads a tensor that nothing has written"
            )
        ready.update(operator.outputs)
    if not ready.issuperset(subgraph.outputs):
        raise MalformedError(f"graph {subgraph.index} has an output that nothing writes")


def _check_variables(subgraph: Subgraph) -> None:
    """A variable is a state that operators read and change, never what is fed or computed."""
    fed = {*subgraph.inputs, *(index for one in subgraph.operators for index in one.outputs)}
    for tensor in subgraph.tensors:
        if tensor.is_variable and tensor.index in fed:
            raise MalformedError(f"tensor {tensor.index} is a variable, and is fed or computed")

"""Layers that a recipe declares float: which operators of a file are theirs.

An operator belongs to a Keras layer whose name is a part of the path that the converter gives its
output, such as "network/quant_dense/MatMul;network/quant_dense/BiasAdd"; tfmot puts "quant_" before
the name of a layer that it wraps. The outputs of the graph have lost their path: there it is the
name that the file's signature gives them, which for Keras is the layer's.
"""

from __future__ import annotations

import re

from litegate.spec import Recipe
from litegate.tflite.graph import ABSENT, Graph, Operator, Subgraph

CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT"})
"""Operators that stand between layers and belong to none."""


def float_operators(graph: Graph, subgraph: Subgraph, recipe: Recipe) -> frozenset[int]:
    """The indices of the operators that the recipe's `float_layers` are computed by."""
    if not recipe.float_layers:
        return frozenset()
    wanted = {name for layer in recipe.float_layers for name in (layer, f"quant_{layer}")}
    return frozenset(
        operator.index
        for operator in subgraph.operators
        if operator.name not in CONVERTING and wanted & _path(graph, subgraph, operator)
    )


def _path(graph: Graph, subgraph: Subgraph, operator: Operator) -> set[str]:
    """Each part of the names of an operator's outputs."""
    signed = graph.output_names(subgraph.index)
    written = (index for index in operator.outputs if index != ABSENT)
    named = (signed.get(index, subgraph.tensors[index].name) for index in written)
    return {part for name in named for part in re.split("[/;]", name)}

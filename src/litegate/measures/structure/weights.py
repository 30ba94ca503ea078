"""Count zero weights and distinct weight values in each layer.

Both counts are of the stored integers or floats. They affect only the compressed size, because a
`.tflite` file stores every weight in full.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit, text
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.measures.structure.layer_operands import UNKNOWN_LAYERS
from litegate.measures.structure.operators import graph_prefix, operator_label
from litegate.measures.structure.tensor_roles import (
    float_operators,
    layer_uses,
    table_reads,
)
from litegate.spec import Artifact, Recipe
from litegate.tflite.graph import Graph, Operator, Subgraph, Tensor
from litegate.tflite.nibbles import INT4, unpack_nibbles
from litegate.tflite.parser import parse

_LAYERS_SHOWN = 3
"""Number of layers that the evidence names, worst first: enough to see where to look, in a verdict
that must stay one sentence."""
_DTYPES = (INT4, "int8", "uint8", "int16", "float16", "float32")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """The weights of one operator."""

    name: str
    """The operator's label: "operator 5 CONV_2D v3"."""
    size: int
    zeros: int
    unique: int
    """Distinct values: the maximum over the channels if each has its own scale."""

    @property
    def sparsity(self) -> Fraction:
        """The share of weights that are zero."""
        return Fraction(self.zeros, self.size)


def layer_weights(artifact: Artifact) -> tuple[LayerWeights, ...]:
    """Count the weights of each operator, in order; weights that operators share count once.

    Layers that the recipe declares float are left out: they are neither pruned nor clustered.
    Raises ArtifactError if the file cannot be read; MeasurementError if there are no weights, or
    for a type or storage format that is not supported.
    """
    graph = parse(artifact.tflite, subject=artifact.name)
    counts_by_buffer = {
        weight.buffer: _count(f"{graph_prefix(subgraph)}{operator_label(operator)}", graph, weight)
        for subgraph, operator, weight in _counted_weights(graph, artifact.recipe)
    }
    if not counts_by_buffer:
        raise MeasurementError(
            f"{artifact.name} has no weights to count",
            expected="an operator such as CONV_2D or FULLY_CONNECTED with constant weights",
        )
    return tuple(counts_by_buffer.values())


def _counted_weights(graph: Graph, recipe: Recipe) -> Iterator[tuple[Subgraph, Operator, Tensor]]:
    """Yield each weight constant, embedding tables included, with its subgraph and its reader."""
    for subgraph in graph.subgraphs:
        _check_countable(subgraph)
        floats = float_operators(graph, subgraph, recipe)
        layers = [(use.operator, weight) for use in layer_uses(subgraph) for weight in use.weights]
        embeddings = [
            (operator, table) for operator, table in table_reads(subgraph) if table.dtype in _DTYPES
        ]
        for operator, weight in (*layers, *embeddings):
            if operator.index not in floats:
                yield subgraph, operator, weight


def _check_countable(subgraph: Subgraph) -> None:
    """Raise MeasurementError for an operator whose weights cannot be counted."""
    for operator in subgraph.operators:
        if operator.name in UNKNOWN_LAYERS:
            label = f"{graph_prefix(subgraph)}{operator_label(operator)}"
            raise MeasurementError(
                f"{label} has weights that cannot be counted",
                expected="layers whose operands are known, such as CONV_2D or GATHER",
                remedy="remove sparsity and unique_weights from the budget",
            )


def _centered_values(weight: Tensor, data: memoryview) -> NDArray[np.float32]:
    """Return the stored values minus the zero point, exact float32, with a row for each scale."""
    is_split = weight.block_size and math.prod(weight.shape) % weight.block_size
    if weight.dtype not in _DTYPES or weight.memory != len(data) or is_split:
        raise MeasurementError(
            f"the weights in tensor {weight.index} {weight.name!r} cannot be counted",
            expected=f"one value of {', '.join(_DTYPES)} for each of them",
            got=f"{len(data):,} bytes of {weight.dtype} for the shape {weight.shape}",
            remedy="remove sparsity and unique_weights from the budget",
        )
    values = _unpacked(weight, data).reshape(weight.shape).astype(np.float32)
    if weight.block_size:  # along the last dimension, which the file stores without gaps
        return values.reshape(-1, weight.block_size)
    if len(weight.scales) > 1:
        values = np.moveaxis(values, weight.quantized_dimension, 0)
    rows = values.reshape(max(1, len(weight.scales)), -1)
    return rows - np.array(weight.zero_points or [0], np.float32)[:, np.newaxis]


def _unpacked(weight: Tensor, data: memoryview) -> NDArray[Any]:
    if weight.dtype != INT4:
        return np.frombuffer(data, weight.dtype)
    return unpack_nibbles(data, math.prod(weight.shape))


def _count(name: str, graph: Graph, weight: Tensor) -> LayerWeights:
    values = _centered_values(weight, graph.buffers[weight.buffer].data)
    return LayerWeights(
        name=name,
        size=values.size,
        zeros=int((values == 0).sum()),
        unique=max(len(np.unique(row)) for row in values),
    )


def sparsity(artifact: Artifact) -> Measurement:
    """Measure the share of all weights that are zero; the evidence has the least sparse layers.

    Raises as `layer_weights`.
    """
    layers = layer_weights(artifact)
    size = sum(layer.size for layer in layers)
    ordered = sorted(layers, key=lambda layer: layer.sparsity)  # as only the first are named
    return Measurement(
        name=Name.SPARSITY,
        subject=artifact.name,
        value=Fraction(sum(layer.zeros for layer in layers), size),
        unit=Unit.PERCENT,
        n=size,
        evidence=tuple(
            f"{layer.name}: {text(layer.sparsity, Unit.PERCENT)} of {layer.size:,} weights are zero"
            for layer in ordered[:_LAYERS_SHOWN]
        ),
        artifacts=(artifact.sha256,),
    )


def unique_weights(artifact: Artifact) -> Measurement:
    """Measure the largest number of distinct weights in a layer; the evidence has the worst layers.

    If each channel has its own scale, each channel is counted separately, because one clustered
    value becomes a different integer in each. Raises as `layer_weights`.
    """
    layers = layer_weights(artifact)
    ordered = sorted(layers, key=lambda layer: -layer.unique)  # the first is the value
    return Measurement(
        name=Name.UNIQUE_WEIGHTS,
        subject=artifact.name,
        value=ordered[0].unique,
        unit=Unit.COUNT,
        n=len(layers),
        evidence=tuple(
            f"{layer.name}: {layer.unique:,} unique among {layer.size:,} weights"
            for layer in ordered[:_LAYERS_SHOWN]
        ),
        artifacts=(artifact.sha256,),
    )

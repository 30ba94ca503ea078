"""Weights: how many are zero, and how many differ, layer by layer.

Both are properties of the stored integers or floats, and both show in the compressed size alone: a
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
from litegate.measures.structure.operators import named, part
from litegate.measures.structure.tensor_roles import UNKNOWN_LAYERS, float_operators, tables, uses
from litegate.spec import Artifact, Recipe
from litegate.tflite.graph import Graph, Operator, Subgraph, Tensor
from litegate.tflite.reader import parse

_TOLD = 3
"""Layers that the evidence names, the worst ones."""
_PACKED = "int4"
"""Two weights in a byte, the first one in its lower half."""
_DTYPES = (_PACKED, "int8", "uint8", "int16", "float16", "float32")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """The weights of one operator."""

    name: str
    """The operator, named: "operator 5 CONV_2D v3"."""
    size: int
    zeros: int
    unique: int
    """The most different values in any part of it that has one scale; without scales, in all."""

    @property
    def sparsity(self) -> Fraction:
        """The share of them that is zero."""
        return Fraction(self.zeros, self.size)


def layer_weights(artifact: Artifact) -> tuple[LayerWeights, ...]:
    """The weights of each operator that has some, in order; those that several share, once.

    The layers that the recipe declares float are left out: they are neither pruned nor clustered.
    ArtifactError where the file cannot be read; MeasurementError for weights of a type or a form
    whose values are not read here, and where there are none.
    """
    graph = parse(artifact.tflite, subject=artifact.name)
    found = {
        weight.buffer: _counted(f"{part(subgraph)}{named(operator)}", graph, weight)
        for subgraph, operator, weight in _judged(graph, artifact.recipe)
    }
    if not found:
        raise MeasurementError(
            f"{artifact.name} has no weights to count",
            expected="an operator such as CONV_2D or FULLY_CONNECTED with constant weights",
        )
    return tuple(found.values())


def _judged(graph: Graph, recipe: Recipe) -> Iterator[tuple[Subgraph, Operator, Tensor]]:
    """Every constant of weights, tables of embeddings among them, with who reads it."""
    for subgraph in graph.subgraphs:
        _demand_known(subgraph)
        floats = float_operators(graph, subgraph, recipe)
        layers = [(use.operator, weight) for use in uses(subgraph) for weight in use.weights]
        learned = [(one, table) for one, table in tables(subgraph) if table.dtype in _DTYPES]
        for operator, weight in (*layers, *learned):
            if operator.index not in floats:
                yield subgraph, operator, weight


def _demand_known(subgraph: Subgraph) -> None:
    """Raise MeasurementError for an operator whose weights would not be counted."""
    for operator in subgraph.operators:
        if operator.name in UNKNOWN_LAYERS:
            raise MeasurementError(
                f"{part(subgraph)}{named(operator)} has weights that cannot be counted",
                expected="layers whose operands are known, such as CONV_2D or GATHER",
                remedy="leave sparsity and unique_weights out of the budget",
            )


def _centred(weight: Tensor, data: memoryview) -> NDArray[np.float32]:
    """What is stored, less the zero point, float32 and exact; a row for each scale."""
    if weight.dtype not in _DTYPES or weight.memory != len(data):
        raise MeasurementError(
            f"the weights in tensor {weight.index} {weight.name!r} cannot be counted",
            expected=f"one value of {', '.join(_DTYPES)} for each of them",
            got=f"{len(data):,} bytes of {weight.dtype} for the shape {weight.shape}",
            remedy="leave sparsity and unique_weights out of the budget",
        )
    values = _unpacked(weight, data).reshape(weight.shape).astype(np.float32)
    if len(weight.scales) > 1:
        values = np.moveaxis(values, weight.quantized_dimension, 0)
    rows = values.reshape(max(1, len(weight.scales)), -1)
    return rows - np.array(weight.zero_points or [0], np.float32)[:, np.newaxis]


def _unpacked(weight: Tensor, data: memoryview) -> NDArray[Any]:
    if weight.dtype != _PACKED:
        return np.frombuffer(data, weight.dtype)
    pairs = np.frombuffer(data, np.int8)
    both = np.stack([np.left_shift(pairs, 4) >> 4, pairs >> 4], axis=1)
    return both.ravel()[: math.prod(weight.shape)]


def _counted(name: str, graph: Graph, weight: Tensor) -> LayerWeights:
    values = _centred(weight, graph.buffers[weight.buffer].data)
    return LayerWeights(
        name=name,
        size=values.size,
        zeros=int((values == 0).sum()),
        unique=max(len(np.unique(row)) for row in values),
    )


def sparsity(artifact: Artifact) -> Measurement:
    """The share of all weights that is zero; the evidence has each layer's, the least first.

    Raises as `layer_weights`.
    """
    found = layer_weights(artifact)
    size = sum(one.size for one in found)
    ordered = sorted(found, key=lambda one: one.sparsity)
    return Measurement(
        name="sparsity",
        subject=artifact.name,
        value=Fraction(sum(one.zeros for one in found), size),
        unit=Unit.PERCENT,
        n=size,
        evidence=tuple(
            f"{one.name}: {text(one.sparsity, Unit.PERCENT)} of {one.size:,} weights are zero"
            for one in ordered[:_TOLD]
        ),
        artifacts=(artifact.sha256,),
    )


def unique_weights(artifact: Artifact) -> Measurement:
    """The most different weights that share one scale, in any layer; the evidence has each layer's.

    Where each channel has a scale of its own, the channels are counted apart: one clustered value
    becomes another integer in each. Raises as `layer_weights`.
    """
    found = layer_weights(artifact)
    ordered = sorted(found, key=lambda one: -one.unique)
    return Measurement(
        name="number of unique weights",
        subject=artifact.name,
        value=ordered[0].unique,
        unit=Unit.COUNT,
        n=len(found),
        evidence=tuple(
            f"{one.name}: {one.unique:,} unique among {one.size:,} weights"
            for one in ordered[:_TOLD]
        ),
        artifacts=(artifact.sha256,),
    )

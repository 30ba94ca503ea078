"""List the layers that could be left out of quantization, with their errors and costs."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

from litegate.gate.repair.search import Layer
from litegate.measures.accuracy.layer_error import LayerError, layer_errors
from litegate.measures.structure.macs import costs
from litegate.measures.structure.target import refused_operators
from litegate.measures.structure.tensor_roles import layer_uses
from litegate.spec import Artifact, Evaluation
from litegate.spec.targets import Target
from litegate.tflite.graph import Graph
from litegate.tflite.layers import layer_names
from litegate.tflite.parser import parse

_FLOAT_BYTES, _INT16_BYTES = 3, 4
"""Bytes that a weight grows by if it stays float32 instead of int8, and a bias that becomes int64
instead of int32."""
_LEAST, _MOST = 1e-12, 1e12
"""Shares of noise power that a layer without measured noise, or without any signal, gets: the
ranking needs a number. 120 dB, beyond the 98 dB of 16 bits, the finest quantization."""


def candidates(
    reference: Artifact, candidate: Artifact, split: Evaluation, *, by: str, field: str
) -> list[Layer]:
    """Return the layers of a float file, with the error that quantization adds in each.

    `by` is "bytes" or "macs", `field` is "float_layers" or "int16_layers". The error is measured on
    samples of `split`. Raises as `layer_errors`.
    """
    graph = parse(reference.tflite, subject=reference.name, signature=reference.signature)
    names = layer_names(graph, graph.main)
    sizes = _bytes(graph, names, field) if by == "bytes" else _macs(graph, names)
    errors = added_errors(reference, candidate, split)
    return [
        Layer(name=name, cost=sizes[name], error=errors.get(name, _LEAST))
        for name in dict.fromkeys(names.values())
    ]


def added_errors(reference: Artifact, candidate: Artifact, split: Evaluation) -> dict[str, float]:
    """Return the share of noise that each layer adds, by name. Raises as `layer_errors`."""
    before, after = (replace(it, evaluation=split) for it in (reference, candidate))
    errors: defaultdict[str, float] = defaultdict(lambda: _LEAST)
    for error in layer_errors(before, after):
        errors[error.name] = max(errors[error.name], _added_noise(error))
    return dict(errors)


def _added_noise(error: LayerError) -> float:
    """Return the share of noise in a layer's output that its inputs do not have already."""
    after, before = (10 ** min(-it / 10, 12) for it in (error.sqnr, error.before))
    return min(max(after - before, _LEAST), _MOST) if not math.isnan(after) else _MOST


def _bytes(graph: Graph, names: dict[int, str], field: str) -> dict[str, int]:
    """Return the bytes that each layer adds to the file; at least one, for the conversions."""
    sizes = dict.fromkeys(names.values(), 1)
    is_float = field == "float_layers"
    grown, growth = ("weights", _FLOAT_BYTES) if is_float else ("biases", _INT16_BYTES)
    for use in layer_uses(graph.main):
        if use.operator.index in names:
            values = sum(math.prod(tensor.shape) for tensor in getattr(use, grown))
            sizes[names[use.operator.index]] += growth * values
    return sizes


def _macs(graph: Graph, names: dict[int, str]) -> dict[str, int]:
    sizes = dict.fromkeys(names.values(), 1)
    for cost in costs(graph):
        if cost.operator.index in names:
            sizes[names[cost.operator.index]] += cost.macs or 0
    return sizes


def refused(graph: Graph, target: Target) -> dict[str, str]:
    """Return the layers of a graph that a target does not take, with its reason."""
    names, layers = layer_names(graph, graph.main), dict[str, str]()
    for index, reason in refused_operators(graph, target).items():
        if index in names:
            layers.setdefault(names[index], reason)
    return layers

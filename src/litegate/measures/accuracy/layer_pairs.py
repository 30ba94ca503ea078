"""Match the layers of two files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from litegate.tflite.graph import Graph
from litegate.tflite.layers import GraphLayer, graph_layers, keras_name, layer_names

_Match = tuple[GraphLayer, GraphLayer]
"""A layer of the reference and one of the candidate."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """A layer of the reference and its counterpart in the candidate."""

    reference: GraphLayer
    candidate: GraphLayer
    name: str
    """The layer's name, as `layer_names` gives it: the reference's, unless only the candidate has
    that of the Keras layer."""


def match_layers(reference: Graph, candidate: Graph) -> tuple[LayerPair, ...]:
    """Match the layers of two files, in the candidate's order.

    Layers of the same kind and output shape match if they have the same name. The layers that are
    left match in order if they have the same fused activation and both files have equally many.
    """
    keys: tuple[Callable[[GraphLayer], Hashable], ...] = (
        lambda layer: (_kind(layer), layer.output.name or id(layer)),
        lambda layer: (_kind(layer), layer.operator.activation),
    )
    ours, theirs = graph_layers(reference.main), graph_layers(candidate.main)
    matched: list[_Match] = []
    for key in keys:
        matched += _match(ours, theirs, key)
        done = {id(layer) for pair in matched for layer in pair}
        ours = tuple(layer for layer in ours if id(layer) not in done)
        theirs = tuple(layer for layer in theirs if id(layer) not in done)
    names = [layer_names(graph, graph.main) for graph in (reference, candidate)]
    return tuple(
        LayerPair(reference=layer, candidate=counterpart, name=_name(layer, counterpart, *names))
        for layer, counterpart in sorted(matched, key=lambda pair: pair[1].operator.index)
    )


def _name(
    layer: GraphLayer,
    counterpart: GraphLayer,
    names: Mapping[int, str],
    counterpart_names: Mapping[int, str],
) -> str:
    is_only_known_there = keras_name(counterpart.output.name) and not keras_name(layer.output.name)
    if is_only_known_there:
        return counterpart_names[counterpart.operator.index]
    return names[layer.operator.index]


def _kind(layer: GraphLayer) -> Hashable:
    return layer.operator.name, layer.operator.custom_code, layer.output.shape


def _match(
    reference: Sequence[GraphLayer],
    candidate: Sequence[GraphLayer],
    key: Callable[[GraphLayer], Hashable],
) -> list[_Match]:
    groups: defaultdict[Hashable, tuple[list[GraphLayer], list[GraphLayer]]] = defaultdict(
        lambda: ([], [])
    )
    for side, layers in enumerate((reference, candidate)):
        for layer in layers:
            groups[key(layer)][side].append(layer)
    return [
        (layer, counterpart)
        for ours, theirs in groups.values()
        if len(ours) == len(theirs)
        for layer, counterpart in zip(ours, theirs, strict=True)
    ]

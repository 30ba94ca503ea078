"""Pruning and clustering before quantizing, through tfmot's own interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.feeds import Network
from litegate.build.toolchain.quantize import unsupported
from litegate.spec import Clustering, Pruning, Recipe

_UPDATES = 100
"""How often a training finds out anew which weights are the smallest, about."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """A training in between that makes weights zero, or alike."""

    stage: str
    epochs: int
    wrap: Callable[[Network], Network]
    """The network with what its training needs."""
    strip: Callable[[Network], Network]
    """The trained network as it was before, with its new weights."""


def compressions(frameworks: Frameworks, recipe: Recipe, steps: int) -> Iterator[Compression]:
    """What a recipe wants done to the float network first, in order; an epoch has `steps`."""
    if recipe.pruning:
        yield _pruning(frameworks, recipe, recipe.pruning, steps)
    if recipe.clustering:
        yield _clustering(frameworks, recipe, recipe.clustering)


def _pruning(frameworks: Frameworks, recipe: Recipe, pruning: Pruning, steps: int) -> Compression:
    """More and more weights become zero in the first half of the steps, tfmot's PolynomialDecay."""
    import tensorflow_model_optimization as tfmot

    api = tfmot.sparsity.keras
    every = max(1, pruning.epochs * steps // (2 * _UPDATES))
    schedule = api.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=float(pruning.sparsity.value),
        begin_step=0,
        end_step=max(1, pruning.epochs * steps // (2 * every)) * every,
        frequency=every,
    )

    def wrap(network: Network) -> Network:
        pruned = _each_layer(
            frameworks, network, recipe, "prune", lambda x: api.prune_low_magnitude(x, schedule)
        )
        for layer in _wrappers(pruned):
            layer.pruning_step.assign(0)
        return pruned

    def strip(network: Network) -> Network:
        for layer in _wrappers(network):
            layer.pruning_obj.weight_mask_op()
        return api.strip_pruning(network)

    return Compression(stage="prune", epochs=pruning.epochs, wrap=wrap, strip=strip)


def _wrappers(network: Network) -> list[Any]:
    return [layer for layer in network.layers if hasattr(layer, "pruning_step")]


def _clustering(frameworks: Frameworks, recipe: Recipe, clustering: Clustering) -> Compression:
    """The centroids begin as k-means++ draws them, and are trained; a pruned weight stays zero."""
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    api = tfmot.clustering.keras
    clustered = partial(
        cluster.cluster_weights,
        number_of_clusters=clustering.clusters,
        cluster_centroids_init=api.CentroidInitialization.KMEANS_PLUS_PLUS,
        preserve_sparsity=recipe.pruning is not None,
    )

    def wrap(network: Network) -> Network:
        return _each_layer(frameworks, network, recipe, "cluster", clustered)

    return Compression(
        stage="cluster", epochs=clustering.epochs, wrap=wrap, strip=api.strip_clustering
    )


def _each_layer(
    frameworks: Frameworks,
    network: Network,
    recipe: Recipe,
    verb: str,
    wrap: Callable[[Any], Any],
) -> Network:
    """The network with each layer wrapped that has weights and is to be quantized."""

    def wrapped(layer: Any) -> Any:
        if layer.name in recipe.float_layers or not layer.trainable_weights:
            return layer
        try:
            return wrap(layer)
        except ValueError as error:
            kind = f"{type(layer).__module__}.{type(layer).__name__}"
            raise unsupported(layer.name, kind, verb) from error

    return frameworks.keras.models.clone_model(network, clone_function=wrapped)

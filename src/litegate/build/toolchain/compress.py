"""Prune and cluster networks before quantization, through tfmot's public interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.quantize import unsupported_error
from litegate.build.toolchain.tensor_samples import Network
from litegate.spec import Clustering, Pruning, Recipe

_UPDATES = 100
"""Approximate number of times that pruning recomputes which weights are the smallest.

More follow the schedule more closely; each one sorts all weights. A number of updates, not tfmot's
fixed 100 steps between them, so that a short training gets as many as a long one. A hundred is
a choice.
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """A training stage that makes weights zero or equal."""

    stage: str
    epochs: int
    wrap: Callable[[Network], Network]
    """Adds tfmot's wrappers that the training needs."""
    strip: Callable[[Network], Network]
    """Removes the wrappers; keeps the new weights."""


def compressions(frameworks: Frameworks, recipe: Recipe, steps: int) -> Iterator[Compression]:
    """Yield a recipe's compressions of the float network, in order; an epoch has `steps`.

    Pruning comes first, because clustering can preserve zeros, while pruning later would move
    weights out of their clusters.
    """
    if recipe.pruning:
        yield _pruning(frameworks, recipe, recipe.pruning, steps)
    if recipe.clustering:
        yield _clustering(frameworks, recipe, recipe.clustering)


def _pruning(frameworks: Frameworks, recipe: Recipe, pruning: Pruning, steps: int) -> Compression:
    """Prune gradually in the first half of the steps, by tfmot's PolynomialDecay.

    The second half trains the remaining weights.
    """
    # Late, here and below: it imports TensorFlow, whose flags must be set before (determinism).
    import tensorflow_model_optimization as tfmot

    api = tfmot.sparsity.keras
    every = max(1, pruning.epochs * steps // (2 * _UPDATES))
    # tfmot only prunes at multiples of `frequency`, so `end_step` must be one: else the schedule
    # would end short of the final sparsity.
    schedule = api.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=float(pruning.sparsity.value),
        begin_step=0,
        end_step=max(1, pruning.epochs * steps // (2 * every)) * every,
        frequency=every,
    )

    def wrap(network: Network) -> Network:
        pruned = _wrap_layers(
            frameworks, network, recipe, "prune", lambda x: api.prune_low_magnitude(x, schedule)
        )
        # The steps begin at -1, which tfmot refuses. Its callback UpdatePruningStep would do this
        # and what `strip` does, but the training loop runs without callbacks.
        for layer in _wrappers(pruned):
            layer.pruning_step.assign(0)
        return pruned

    def strip(network: Network) -> Network:
        # The optimizer's last step has moved pruned weights away from zero again.
        for layer in _wrappers(network):
            layer.pruning_obj.weight_mask_op()
        return api.strip_pruning(network)

    return Compression(stage="prune", epochs=pruning.epochs, wrap=wrap, strip=strip)


def _wrappers(network: Network) -> list[Any]:
    return [layer for layer in network.layers if hasattr(layer, "pruning_step")]


def _clustering(frameworks: Frameworks, recipe: Recipe, clustering: Clustering) -> Compression:
    """Cluster weights: centroids start from k-means++ and are trained; pruned weights stay zero."""
    import tensorflow_model_optimization as tfmot

    # The public `cluster_weights` of tfmot 0.8.1 cannot preserve zeros, and its public package
    # `experimental` is empty.
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    api = tfmot.clustering.keras
    clustered = partial(
        cluster.cluster_weights,
        number_of_clusters=clustering.clusters,
        cluster_centroids_init=api.CentroidInitialization.KMEANS_PLUS_PLUS,
        preserve_sparsity=recipe.pruning is not None,
    )

    def wrap(network: Network) -> Network:
        return _wrap_layers(frameworks, network, recipe, "cluster", clustered)

    return Compression(
        stage="cluster", epochs=clustering.epochs, wrap=wrap, strip=api.strip_clustering
    )


def _wrap_layers(
    frameworks: Frameworks,
    network: Network,
    recipe: Recipe,
    verb: str,
    wrap: Callable[[Any], Any],
) -> Network:
    """Wrap each layer that has weights and will be quantized.

    Raises ToolchainError for a layer that tfmot cannot `verb`.
    """

    def wrap_layer(layer: Any) -> Any:
        if layer.name in recipe.float_layers or not layer.trainable_weights:
            return layer
        try:
            return wrap(layer)
        except ValueError as error:
            kind = f"{type(layer).__module__}.{type(layer).__name__}"
            raise unsupported_error(layer.name, kind, verb) from error

    return frameworks.keras.models.clone_model(network, clone_function=wrap_layer)

"""Make networks quantization-aware, through tfmot's public interface."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.preprocessing_layers import advice
from litegate.build.toolchain.tensor_samples import (
    Network,
    TensorSamples,
    ordered_inputs,
    slice_samples,
)
from litegate.spec import Recipe

# tfmot's message: the exception has no type of its own.
_UNSUPPORTED = re.compile(r"[Ll]ayer (?P<name>[^\s:]+):<class '(?P<kind>[^']+)'> is not supported")
_COUNTED = re.compile(r"(?s)(.*?)(?:_([0-9]+))?")
"""A layer's name, as tf_keras makes it of a stem and a counter, which starts without a number."""
_PROBES = 8
"""Samples that an annotated network is compared on: few suffice, for equal weights agree on all.

More would only take longer: lost weights are random, and change the outputs of any sample."""


def quantize(
    frameworks: Frameworks, network: Network, recipe: Recipe, samples: TensorSamples
) -> Network:
    """Return the quantization-aware twin of a float network, with its weights.

    Raises ToolchainError for layers that tfmot cannot quantize, and for an annotation that loses
    the weights or quantizes one of the recipe's `float_layers`.
    """
    # Late, here and below: it imports TensorFlow, whose flags must be set before (determinism).
    import tensorflow_model_optimization as tfmot

    api = tfmot.quantization.keras
    custom = dict(recipe.custom_objects()) if recipe.custom_objects else {}
    with api.quantize_scope(custom):
        _check_names(network, recipe)
        if recipe.annotate is None:
            _check_layers(frameworks, network, recipe)
            network = _refuse_unsupported(partial(_annotate, frameworks, api, recipe), network)
        else:
            annotate = partial(recipe.annotate, network, tfmot)
            network = _checked_annotation(frameworks, network, annotate, samples)
            _check_float_layers(network, recipe)
        _check_annotates(network, recipe)
        scheme = _preserving_scheme(recipe)
        _count_names(network)
        apply = partial(api.quantize_apply, scheme=scheme) if scheme else api.quantize_apply
        return _refuse_unsupported(apply, network)


def _annotate(frameworks: Frameworks, api: Any, recipe: Recipe, network: Network) -> Network:
    """Annotate all layers except the recipe's `float_layers`."""
    if not recipe.float_layers:
        return api.quantize_annotate_model(network)

    def annotate_layer(layer: Any) -> Any:
        is_float = layer.name in recipe.float_layers
        return layer if is_float else api.quantize_annotate_layer(layer)

    return frameworks.keras.models.clone_model(network, clone_function=annotate_layer)


def _check_names(network: Network, recipe: Recipe) -> None:
    names = [layer.name for layer in network.layers]
    if missing := [name for name in recipe.float_layers if name not in names]:
        raise ToolchainError(
            "config",
            f"float_layers names layers that the network does not have: {', '.join(missing)}",
            expected=", ".join(names),
        )


def _check_layers(frameworks: Frameworks, network: Network, recipe: Recipe) -> None:
    """Raise ToolchainError for layers that tfmot leaves float with a warning, or names poorly."""
    layers = frameworks.keras.layers
    for layer in network.layers:
        if layer.name in recipe.float_layers:
            continue
        if isinstance(layer, layers.Lambda | frameworks.keras.Model):
            raise unsupported_error(layer.name, f"{type(layer).__module__}.{type(layer).__name__}")


def _check_float_layers(annotated: Network, recipe: Recipe) -> None:
    """Raise ToolchainError if `annotate` includes a layer that the recipe declares float.

    Other layers without annotation are judged in the file: the converter quantizes many of them.
    """
    if both := sorted(_annotated_names(annotated) & {*recipe.float_layers}):
        raise ToolchainError(
            "config",
            f"annotate quantizes layers that float_layers keeps in float: {', '.join(both)}",
            expected="layers that annotate does not quantize",
            remedy="remove them from one of the two",
        )


def _check_annotates(annotated: Network, recipe: Recipe) -> None:
    """Raise ToolchainError if no layer is annotated, for which tfmot has only a ValueError."""
    if _annotated_names(annotated):
        return
    if recipe.annotate is None:
        raise ToolchainError(
            "config",
            "float_layers names every layer, so none would be quantized",
            got=", ".join(recipe.float_layers),
            remedy="name fewer layers, or use a float recipe",
        )
    raise ToolchainError(
        "config",
        "annotate annotates no layer, so none would be quantized",
        expected="a network with annotated layers",
        remedy="return keras.models.clone_model(network, clone_function=...), whose function wraps "
        "layers by tfmot.quantization.keras.quantize_annotate_layer",
    )


def _annotated_names(annotated: Network) -> set[str]:
    # tfmot has no public name for the wrapper of an annotated layer.
    from tensorflow_model_optimization.python.core.quantization.keras import quantize_annotate

    wrapper = quantize_annotate.QuantizeAnnotate
    return {layer.layer.name for layer in annotated.layers if isinstance(layer, wrapper)}


def _count_names(annotated: Network) -> None:
    """Let tf_keras count the names that layers were given, so that it gives none of them again.

    It names a layer by a counter that knows its own names alone. tfmot replaces a SeparableConv2D
    by layers without a name; one that got the name of another layer would get its weights, too.
    """
    from tf_keras.src import backend  # tf_keras has no public way to its counters

    counters = backend.get_default_graph_uid_map()
    for layer in getattr(annotated, "layers", ()):
        name = getattr(layer, "layer", layer).name  # of the layer in an annotation's wrapper
        if counted := _COUNTED.fullmatch(name):
            stem, number = counted.groups()
            counters["", stem] = max(counters["", stem], int(number or 0) + 1)


def _preserving_scheme(recipe: Recipe) -> Any:
    """Return the scheme that preserves zeros and equal weights; None without compression."""
    import tensorflow_model_optimization as tfmot

    schemes = tfmot.experimental.combine
    if recipe.clustering:
        keep_zeros = recipe.pruning is not None
        return schemes.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep_zeros)
    return schemes.Default8BitPrunePreserveQuantizeScheme() if recipe.pruning else None


def _checked_annotation(
    frameworks: Frameworks, network: Network, annotate: Callable[[], Any], samples: TensorSamples
) -> Network:
    """Return the annotated network if its weights and outputs are the float network's bit for bit.

    Those are taken before `annotate` runs, which might change the float network itself. Raises
    ToolchainError for a difference.
    """
    tf = frameworks.tf
    probes = slice_samples(tf, ordered_inputs(network, samples.x_test), slice(0, _PROBES))
    expected, weights = _flat(tf, network(probes, training=False)), _weights(network)
    annotated = annotate()
    if not isinstance(annotated, frameworks.keras.Model):
        raise ToolchainError(
            "builder",
            "the recipe's annotate function did not return a network",
            expected="the annotated network",
            got=type(annotated).__name__,
            remedy="return the result of keras.models.clone_model",
        )
    actual = _flat(tf, annotated(probes, training=False))
    if not np.array_equal(expected, actual):
        raise ToolchainError(
            "builder",
            "the annotated network has other outputs than its float network",
            expected="the same weights: equal outputs",
            got=f"outputs that differ by up to {np.abs(expected - actual).max():.3g}",
            remedy="in the clone_function, return quantize_annotate_layer(layer) or the layer "
            "itself, never a new layer",
        )
    if _weights(annotated) != weights:
        raise ToolchainError(
            "builder",
            "the annotated network has other weights than the float network",
            expected="the same weights: annotate must neither change nor train them",
            remedy="train in the builder or by Training(...), as for the reference",
        )
    return annotated


def _weights(network: Network) -> Counter[tuple[tuple[int, ...], bytes]]:
    """Return the shapes and bytes of a network's weights, in any order: cloning may change it."""
    return Counter((values.shape, values.tobytes()) for values in network.get_weights())


def _flat(tf: Any, outputs: Any) -> Any:
    """Return all values of all outputs as one array of shape (n,)."""
    return np.concatenate([tensor.numpy().ravel() for tensor in tf.nest.flatten(outputs)])


def _refuse_unsupported(step: Any, network: Network) -> Network:
    """Call a step of tfmot; turn its error for an unsupported layer into ToolchainError."""
    try:
        return step(network)
    except (RuntimeError, ValueError) as error:
        layer = _UNSUPPORTED.search(str(error))
        if layer:
            raise unsupported_error(layer["name"], layer["kind"]) from error
        raise


def unsupported_error(name: str, kind: str, verb: str = "quantize") -> ToolchainError:
    """Return the error for a layer that tfmot cannot quantize, prune or cluster."""
    return ToolchainError(
        "unsupported-layer",
        f"tfmot cannot {verb} the layer {name} ({kind})",
        remedy=advice(kind)
        or (
            f"name it in float_layers=({name!r},), pass it a QuantizeConfig in "
            "int8_qat(annotate=...), or use another recipe"
        ),
    )

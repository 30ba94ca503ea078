"""Quantization-aware networks, through tfmot's own interface."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from litegate.spec import Recipe
from litegate.toolchain.environment import Frameworks
from litegate.toolchain.failures import ToolchainError
from litegate.toolchain.networks import Network, Samples

_UNSUPPORTED = re.compile(r"[Ll]ayer (?P<name>[^\s:]+):<class '(?P<kind>[^']+)'> is not supported")
_PROBES = 8


def quantized(
    frameworks: Frameworks, network: Network, recipe: Recipe, samples: Samples
) -> Network:
    """The quantization-aware twin of a float network, with its weights.

    Refuses layers that tfmot cannot quantize, and an annotation that loses the weights.
    """
    import tensorflow_model_optimization as tfmot

    api = tfmot.quantization.keras
    custom = dict(recipe.custom_objects()) if recipe.custom_objects else {}
    with api.quantize_scope(custom):
        if recipe.annotate is None:
            _check_layers(frameworks, network)
            network = _guarded(api.quantize_annotate_model, network)
        else:
            network = _annotated(frameworks, network, recipe.annotate(network, tfmot), samples)
        return _guarded(api.quantize_apply, network)


def _check_layers(frameworks: Frameworks, network: Network) -> None:
    """Refuse what tfmot would leave float with no more than a warning, or name poorly."""
    layers = frameworks.keras.layers
    for layer in network.layers:
        if isinstance(layer, layers.Lambda | frameworks.keras.Model):
            raise _unsupported(layer.name, f"{type(layer).__module__}.{type(layer).__name__}")


def _annotated(
    frameworks: Frameworks, network: Network, annotated: Any, samples: Samples
) -> Network:
    """The annotated network, if it answers like the float one, bit for bit."""
    if not isinstance(annotated, frameworks.keras.Model):
        raise ToolchainError(
            "builder",
            "the recipe's annotate function gave no network",
            expected="the annotated network",
            got=type(annotated).__name__,
            remedy="return what keras.models.clone_model gives",
        )
    probes = samples.x_test[:_PROBES]
    before, after = (each(probes, training=False).numpy() for each in (network, annotated))
    if not np.array_equal(before, after):
        raise ToolchainError(
            "builder",
            "the annotated network does not answer like the float network that it was made of",
            expected="the same weights: equal outputs",
            got=f"outputs that differ by up to {np.abs(before - after).max():.3g}",
            remedy="in the clone_function, return quantize_annotate_layer(layer) or the layer "
            "itself, never a new layer",
        )
    return annotated


def _guarded(step: Any, network: Network) -> Network:
    try:
        return step(network)
    except (RuntimeError, ValueError) as error:
        found = _UNSUPPORTED.search(str(error))
        if found:
            raise _unsupported(found["name"], found["kind"]) from error
        raise


def _unsupported(name: str, kind: str) -> ToolchainError:
    return ToolchainError(
        "unsupported-layer",
        f"tfmot cannot quantize the layer {name} ({kind})",
        remedy="annotate the network: give int8_qat(annotate=...) a function that leaves this "
        "layer out or hands it a QuantizeConfig, or take another recipe",
    )

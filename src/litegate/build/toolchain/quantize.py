"""Quantization-aware networks, through tfmot's own interface."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.feeds import Network, Samples, fed_to, part
from litegate.spec import Recipe

_UNSUPPORTED = re.compile(r"[Ll]ayer (?P<name>[^\s:]+):<class '(?P<kind>[^']+)'> is not supported")
_PROBES = 8


def quantized(
    frameworks: Frameworks, network: Network, recipe: Recipe, samples: Samples
) -> Network:
    """The quantization-aware twin of a float network, with its weights.

    Refuses layers that tfmot cannot quantize, and an annotation that loses the weights or
    quantizes one of the recipe's `float_layers`.
    """
    import tensorflow_model_optimization as tfmot

    api = tfmot.quantization.keras
    custom = dict(recipe.custom_objects()) if recipe.custom_objects else {}
    with api.quantize_scope(custom):
        _check_names(network, recipe)
        if recipe.annotate is None:
            _check_layers(frameworks, network, recipe)
            network = _guarded(partial(_annotate, frameworks, api, recipe), network)
        else:
            network = _annotated(frameworks, network, recipe.annotate(network, tfmot), samples)
            _check_left_out(network, recipe)
        scheme = _preserving(recipe)
        apply = partial(api.quantize_apply, scheme=scheme) if scheme else api.quantize_apply
        return _guarded(apply, network)


def _annotate(frameworks: Frameworks, api: Any, recipe: Recipe, network: Network) -> Network:
    """Annotate all layers but the recipe's `float_layers`."""
    if not recipe.float_layers:
        return api.quantize_annotate_model(network)

    def annotated(layer: Any) -> Any:
        left = layer.name in recipe.float_layers
        return layer if left else api.quantize_annotate_layer(layer)

    return frameworks.keras.models.clone_model(network, clone_function=annotated)


def _check_names(network: Network, recipe: Recipe) -> None:
    names = [layer.name for layer in network.layers]
    if missing := [name for name in recipe.float_layers if name not in names]:
        raise ToolchainError(
            "config",
            f"float_layers names what the network does not have: {', '.join(missing)}",
            expected=", ".join(names),
        )


def _check_layers(frameworks: Frameworks, network: Network, recipe: Recipe) -> None:
    """Refuse what tfmot would leave float with no more than a warning, or name poorly."""
    layers = frameworks.keras.layers
    for layer in network.layers:
        if layer.name in recipe.float_layers:
            continue
        if isinstance(layer, layers.Lambda | frameworks.keras.Model):
            raise unsupported(layer.name, f"{type(layer).__module__}.{type(layer).__name__}")


def _check_left_out(annotated: Network, recipe: Recipe) -> None:
    """Refuse an annotation of a layer that the recipe declares float.

    What else it leaves out is judged by the file: the converter turns many such layers to integers.
    """
    from tensorflow_model_optimization.python.core.quantization.keras import quantize_annotate

    wrappers = (e for e in annotated.layers if isinstance(e, quantize_annotate.QuantizeAnnotate))
    if both := sorted({each.layer.name for each in wrappers} & {*recipe.float_layers}):
        raise ToolchainError(
            "config",
            f"annotate quantizes what float_layers declares float: {', '.join(both)}",
            expected="layers that annotate leaves out",
            remedy="leave them out of the one or of the other",
        )


def _preserving(recipe: Recipe) -> Any:
    """The scheme that keeps zeros zero and equal weights equal; None where none need be."""
    import tensorflow_model_optimization as tfmot

    schemes = tfmot.experimental.combine
    if recipe.clustering:
        keep_zeros = recipe.pruning is not None
        return schemes.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep_zeros)
    return schemes.Default8BitPrunePreserveQuantizeScheme() if recipe.pruning else None


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
    tf = frameworks.tf
    probes = part(tf, fed_to(network, samples.x_test), slice(0, _PROBES))
    before, after = (_flat(tf, each(probes, training=False)) for each in (network, annotated))
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


def _flat(tf: Any, answers: Any) -> Any:
    """Every answer in one row."""
    return np.concatenate([each.numpy().ravel() for each in tf.nest.flatten(answers)])


def _guarded(step: Any, network: Network) -> Network:
    try:
        return step(network)
    except (RuntimeError, ValueError) as error:
        found = _UNSUPPORTED.search(str(error))
        if found:
            raise unsupported(found["name"], found["kind"]) from error
        raise


def unsupported(name: str, kind: str, verb: str = "quantize") -> ToolchainError:
    """The refusal of a layer that tfmot cannot quantize, prune or cluster."""
    return ToolchainError(
        "unsupported-layer",
        f"tfmot cannot {verb} the layer {name} ({kind})",
        remedy=f"name it in float_layers=({name!r},), give int8_qat(annotate=...) a function "
        "that hands it a QuantizeConfig, or take another recipe",
    )

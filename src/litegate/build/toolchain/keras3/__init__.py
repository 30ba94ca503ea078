"""Translate Keras 3 networks to tf_keras, layer by layer with the weights; verify the outputs.

tfmot accepts only networks of tf_keras.
"""

from __future__ import annotations

import sys
from typing import Any

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.keras3.rebuild import rebuild
from litegate.build.toolchain.keras3.supported import (
    SUPPORTED,
    layer_error,
    network_error,
    unsupported_error,
)
from litegate.build.toolchain.keras3.verify import check_layer, check_network


def loaded_keras3() -> Any | None:
    """Return the Keras 3 module if the user's code has imported it, else None."""
    return sys.modules.get("keras")


def translate(frameworks: Frameworks, network: Any) -> Any:
    """Return the same network in tf_keras; a network that is not of Keras 3 is returned unchanged.

    Names and weights are copied. Each layer, and then the network, must give equal outputs for
    random inputs. Raises ToolchainError, naming the layer, if it cannot be translated.
    """
    keras3 = loaded_keras3()
    if keras3 is None or not isinstance(network, keras3.Model):
        return network
    _check_kind(keras3, network)
    twin = rebuild(frameworks.keras, network)
    keras3_layers = {layer.name: layer for layer in network.layers}
    for layer in twin.layers:
        is_input = isinstance(layer, frameworks.keras.layers.InputLayer)
        if layer.name in keras3_layers and not is_input:
            _copy_weights(keras3_layers[layer.name], layer)
            check_layer(frameworks, keras3_layers[layer.name], layer)
    check_network(frameworks, network, twin)
    return twin


def _check_kind(keras3: Any, network: Any) -> None:
    """Raise ToolchainError unless it is a network of supported layers with declared inputs."""
    if type(network).__name__ not in {"Sequential", "Functional"} or not _is_from_keras3(network):
        raise network_error(
            network.name,
            got=type(network).__qualname__,
            expected="a Sequential network, or one made by keras.Model(inputs, outputs)",
        )
    for operation in getattr(network, "operations", network.layers):
        kind = type(operation).__name__
        if not _is_from_keras3(operation):
            kind = f"{kind}, a subclass of your own"
        is_operation = not isinstance(operation, keras3.layers.Layer)
        if is_operation or kind not in SUPPORTED:
            raise unsupported_error(operation.name, kind, is_operation=is_operation)
    if not getattr(network, "inputs", None):
        raise network_error(
            network.name,
            got="no declared input",
            expected="a network with a declared input shape",
            remedy="start with keras.Input(shape=...)",
        )


def _is_from_keras3(instance: Any) -> bool:
    """Return True if the instance's class is defined by Keras 3, not by the user."""
    return type(instance).__module__.startswith("keras.src.")


def _copy_weights(layer: Any, twin: Any) -> None:
    try:
        twin.set_weights(layer.get_weights())
    except ValueError as error:
        raise layer_error(
            layer.name, got=str(error), expected="the weights of one layer"
        ) from error

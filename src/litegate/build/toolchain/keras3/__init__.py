"""Keras 3 to tf_keras, for tfmot takes nothing else: layer by layer, with the weights, checked."""

from __future__ import annotations

import sys
from typing import Any

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.keras3.rebuild import rebuilt
from litegate.build.toolchain.keras3.supported import (
    SUPPORTED,
    network_refused,
    refused,
    unsupported,
)
from litegate.build.toolchain.keras3.verify import check_layer, check_network


def loaded_keras3() -> Any | None:
    """The module Keras 3, where the user's code has imported it."""
    return sys.modules.get("keras")


def translated(frameworks: Frameworks, network: Any) -> Any:
    """The same network, made of tf_keras's layers; what is no Keras 3 network comes back as it is.

    Each layer has its name and its weights, and is checked by equal outputs on random inputs, and
    so is the network. Raises ToolchainError, naming the layer, for what cannot be translated.
    """
    keras3 = loaded_keras3()
    if keras3 is None or not isinstance(network, keras3.Model):
        return network
    _check_kind(keras3, network)
    twin = rebuilt(frameworks.keras, network)
    theirs = {layer.name: layer for layer in network.layers}
    for layer in twin.layers:
        if layer.name in theirs and not isinstance(layer, frameworks.keras.layers.InputLayer):
            _copy_weights(theirs[layer.name], layer)
            check_layer(frameworks, theirs[layer.name], layer)
    check_network(frameworks, network, twin)
    return twin


def _check_kind(keras3: Any, network: Any) -> None:
    """Refuse what is not a network of supported layers, with declared inputs."""
    if type(network).__name__ not in {"Sequential", "Functional"} or not _is_own(network):
        raise network_refused(
            network.name,
            got=type(network).__qualname__,
            expected="a Sequential network, or one made by keras.Model(inputs, outputs)",
        )
    for each in getattr(network, "operations", network.layers):
        kind = type(each).__name__ if _is_own(each) else f"{type(each).__name__} of your own"
        operation = not isinstance(each, keras3.layers.Layer)
        if operation or kind not in SUPPORTED:
            raise unsupported(each.name, kind, operation=operation)
    if not getattr(network, "inputs", None):
        raise network_refused(
            network.name,
            got="no declared input",
            expected="a network that knows the shape of its input",
            remedy="begin with keras.Input(shape=...)",
        )


def _is_own(made: Any) -> bool:
    """Whether its class is Keras 3's own, and not the user's."""
    return type(made).__module__.startswith("keras.src.")


def _copy_weights(layer: Any, twin: Any) -> None:
    try:
        twin.set_weights(layer.get_weights())
    except ValueError as error:
        raise refused(layer.name, got=str(error), expected="the weights of one layer") from error

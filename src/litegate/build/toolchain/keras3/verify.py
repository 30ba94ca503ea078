"""Verify a translation: both networks must give equal outputs for random inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.keras3.supported import layer_error, network_error

Arrays = list[NDArray[Any]]
_SAMPLES = 4
"""Samples in a batch: several, so that an operation across the batch shows.

More would find nothing else, since every sample is random, and take longer for every layer."""
_UNKNOWN = 16
"""Length used for a dimension that the network leaves open, other than the batch.

Enough for a few convolutions and poolings without padding; longer inputs only take longer."""
_LAYER, _NETWORK = 1e-5, 1e-4
"""Largest difference, relative to the largest output: of one layer, and of the whole network.

Both Kerases may order float32 sums differently, and the rounding of all layers adds up: a layer
gets some 80 times float32's resolution (1.2e-7), a network ten times that. A setting that is
translated wrongly changes outputs by far more.
"""
_EXPECTED = "equal outputs in Keras 3 and in tf_keras"


def check_layer(frameworks: Frameworks, layer: Any, twin: Any) -> None:
    """Raise ToolchainError if a layer and its `twin` in tf_keras give different outputs."""
    difference = _difference(frameworks, (layer, twin), twin.get_input_at(0), _LAYER)
    if difference:
        raise layer_error(layer.name, got=difference, expected=_EXPECTED)


def check_network(frameworks: Frameworks, network: Any, twin: Any) -> None:
    """Raise ToolchainError if a network and its `twin` in tf_keras give different outputs."""
    difference = _difference(frameworks, (network, twin), twin.inputs, _NETWORK)
    if difference:
        raise network_error(network.name, got=difference, expected=_EXPECTED)


def _difference(frameworks: Frameworks, pair: tuple[Any, Any], ports: Any, share: float) -> str:
    """Describe how the outputs of a pair (Keras 3, tf_keras) differ; empty if they are equal.

    `share` is the tolerance, relative to the largest finite output of Keras 3.
    """
    inputs = _random_inputs(frameworks, ports)
    expected, actual = (_outputs(frameworks, function, inputs) for function in pair)
    shapes = [[array.shape for array in arrays] for arrays in (expected, actual)]
    if shapes[0] != shapes[1]:
        return f"shapes {shapes[0]} and {shapes[1]}"
    for a, b in zip(expected, actual, strict=True):
        largest = np.abs(a[np.isfinite(a)]).max(initial=0)
        if not np.allclose(a, b, rtol=0, atol=share * largest, equal_nan=True):
            return f"outputs that differ by up to {np.nanmax(np.abs(a - b)):.3g}"
    return ""


def _random_inputs(frameworks: Frameworks, ports: Any) -> Arrays:
    """Draw normally distributed values for each input, the same on every call."""
    rng = np.random.default_rng(0)
    shapes = [tuple(port.shape) for port in frameworks.tf.nest.flatten(ports)]
    # A standard deviation of 3 also reaches the saturated ends of activations such as ReLU6.
    return [3 * rng.standard_normal(_concrete(shape)).astype(np.float32) for shape in shapes]


def _concrete(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Replace the open dimensions of a shape, batch first, by numbers."""
    batch, *sample = shape
    return (batch or _SAMPLES, *(length or _UNKNOWN for length in sample))


def _outputs(frameworks: Frameworks, function: Any, inputs: Arrays) -> Arrays:
    """Call a layer or a network in inference mode, which is the default of Keras 3 and tf_keras."""
    tensors = [frameworks.tf.constant(array) for array in inputs]
    outputs = function(tensors if len(tensors) > 1 else tensors[0])
    return [np.asarray(tensor) for tensor in frameworks.tf.nest.flatten(outputs)]

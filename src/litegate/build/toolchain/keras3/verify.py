"""The proof of a translation: both networks give equal answers to random inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.keras3.supported import network_refused, refused

Arrays = list[NDArray[Any]]
_SAMPLES = 4
_UNKNOWN = 16
"""Length of a dimension that the network leaves open, the batch apart."""
_LAYER, _NETWORK = 1e-5, 1e-4
"""Largest difference, as a share of the largest answer: of one layer, and summed up over all."""
_EXPECTED = "equal outputs in Keras 3 and in tf_keras"


def check_layer(frameworks: Frameworks, layer: Any, twin: Any) -> None:
    """Refuse a layer whose `twin` in tf_keras answers otherwise to random inputs."""
    found = _difference(frameworks, (layer, twin), twin.get_input_at(0), _LAYER)
    if found:
        raise refused(layer.name, got=found, expected=_EXPECTED)


def check_network(frameworks: Frameworks, network: Any, twin: Any) -> None:
    """Refuse a network whose `twin` in tf_keras answers otherwise to random inputs."""
    found = _difference(frameworks, (network, twin), twin.inputs, _NETWORK)
    if found:
        raise network_refused(network.name, got=found, expected=_EXPECTED)


def _difference(frameworks: Frameworks, pair: tuple[Any, Any], ports: Any, share: float) -> str:
    """How the answers of a Keras 3 thing and of its twin differ, in words; empty if they do not."""
    fed = _random(frameworks, ports)
    theirs, ours = (_answers(frameworks, each, fed) for each in pair)
    shapes = [[array.shape for array in arrays] for arrays in (theirs, ours)]
    if shapes[0] != shapes[1]:
        return f"shapes {shapes[0]} and {shapes[1]}"
    for a, b in zip(theirs, ours, strict=True):
        largest = np.abs(a[np.isfinite(a)]).max(initial=0)
        if not np.allclose(a, b, rtol=0, atol=share * largest, equal_nan=True):
            return f"outputs that differ by up to {np.nanmax(np.abs(a - b)):.3g}"
    return ""


def _random(frameworks: Frameworks, ports: Any) -> Arrays:
    """An array of normally distributed numbers for each input, the same ones each time."""
    draw = np.random.default_rng(0)
    shapes = [tuple(port.shape) for port in frameworks.tf.nest.flatten(ports)]
    return [3 * draw.standard_normal(_sized(shape)).astype(np.float32) for shape in shapes]


def _sized(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    batch, *sample = shape
    return (batch or _SAMPLES, *(length or _UNKNOWN for length in sample))


def _answers(frameworks: Frameworks, made: Any, fed: Arrays) -> Arrays:
    """What a layer or a network gives in inference mode, which is the default of both Keras."""
    given = [frameworks.tf.constant(array) for array in fed]
    found = made(given if len(given) > 1 else given[0])
    return [np.asarray(each) for each in frameworks.tf.nest.flatten(found)]

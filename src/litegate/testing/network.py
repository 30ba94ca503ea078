"""Define the tiny network of the test artifacts in plain NumPy: weights, samples, outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

SIDE, CHANNELS, CLASSES = 10, 4, 4
"""Small, so that a test runs a file within milliseconds, and large enough for `FEATURES`."""
FEATURES = (SIDE - 2) ** 2 * CHANNELS
"""256: with 4 classes, the dense layer has 1,024 weights, just enough for `dynamic_range`."""

SEED = 7
"""Arbitrary, as that of `Training`; fixed, so that each run of a test sees the same artifacts."""
_CENTRING_SAMPLES = 512
"""Samples whose mean logits the last bias cancels: enough that no class is rare."""

Floats = NDArray[np.float32]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Convolution 3x3 and ReLU, depthwise convolution 3x3 and ReLU, dense."""

    conv: Floats
    """Shape (channels, 3, 3, 1)."""
    conv_bias: Floats
    depthwise: Floats
    """Shape (1, 3, 3, channels)."""
    depthwise_bias: Floats
    dense: Floats
    """Shape (classes, features)."""
    dense_bias: Floats


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """The output of each layer for n samples."""

    conv: Floats
    """Shape (n, 8, 8, channels)."""
    depthwise: Floats
    """Shape (n, 8, 8, channels)."""
    logits: Floats
    """Shape (n, classes)."""


def network(seed: int = SEED) -> Network:
    """Draw weights from `seed`; the last bias makes all classes about equally frequent."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int, inputs: int) -> Floats:
        """Draw from a normal distribution with a standard deviation of 1 / sqrt(inputs).

        Fewer `inputs` than a sum has terms make larger weights. The samples lie between 0 and 1, so
        that sums would otherwise shrink from layer to layer, and with them the margins of classes.
        """
        values: Floats = rng.normal(0, inputs**-0.5, shape).astype(np.float32)
        return values

    unbiased = Network(
        conv=draw(CHANNELS, 3, 3, 1, inputs=3),
        conv_bias=draw(CHANNELS, inputs=9),
        depthwise=draw(1, 3, 3, CHANNELS, inputs=3),
        depthwise_bias=draw(CHANNELS, inputs=9),
        dense=draw(CLASSES, FEATURES, inputs=4),
        dense_bias=np.zeros(CLASSES, np.float32),
    )
    mean_logits = activations(unbiased, samples(_CENTRING_SAMPLES, seed)).logits.mean(axis=0)
    return replace(unbiased, dense_bias=-mean_logits)


def samples(n: int, seed: int = SEED) -> Floats:
    """Draw images of bright and dark rows and columns, from 0 to 1, shape (n, 10, 10, 1)."""
    rng = np.random.default_rng(seed)
    rows = rng.random((n, SIDE, 1, 1), dtype=np.float32)
    return rows * rng.random((n, 1, SIDE, 1), dtype=np.float32)


def activations(net: Network, x: Floats) -> Activations:
    """Run the network on samples of shape (n, 10, 10, 1)."""
    conv = _relu(np.einsum("nhwiyx,oyxi->nhwo", _windows(x), net.conv) + net.conv_bias)
    padded = np.pad(conv, ((0, 0), (1, 1), (1, 1), (0, 0)))
    sums = np.einsum("nhwcyx,yxc->nhwc", _windows(padded), net.depthwise[0])
    depthwise = _relu(sums + net.depthwise_bias)
    logits = depthwise.reshape(len(x), -1) @ net.dense.T + net.dense_bias
    return Activations(conv=conv, depthwise=depthwise, logits=logits)


def _windows(x: Floats) -> NDArray[Any]:
    """Return all 3x3 windows of images, shape (n, height - 2, width - 2, channels, 3, 3)."""
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))


def _relu(x: NDArray[Any]) -> Floats:
    positive: Floats = np.maximum(x, np.float32(0))
    return positive

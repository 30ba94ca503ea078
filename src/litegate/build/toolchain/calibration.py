"""Pick the training samples that calibrate post-training quantization."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.tensor_samples import Network, TensorSamples
from litegate.spec import Recipe, Training

CalibrationSample = list[NDArray[Any]] | dict[str, NDArray[Any]]


Calibration = Callable[[], Iterator[CalibrationSample]]
"""Yields single samples, each as a list with the network's input, or as a mapping by input."""


def make_calibration(
    frameworks: Frameworks,
    samples: TensorSamples,
    recipe: Recipe,
    training: Training,
    alive: Callable[[], None],
) -> Calibration:
    """Return the calibration: the first samples of a seeded permutation of the training split."""
    indices = calibration_indices(len(samples), recipe, training)

    def calibration() -> Iterator[CalibrationSample]:
        arrays = _gather(frameworks.tf, samples.x_train, indices)
        for number in range(len(indices)):
            alive()
            sample = {name: array[number : number + 1] for name, array in arrays.items()}
            yield [sample[""]] if "" in sample else sample

    return calibration


def calibration_indices(count: int, recipe: Recipe, training: Training) -> NDArray[np.int32]:
    """Return the indices of the samples that calibrate a recipe, of `count` training samples."""
    order = np.random.default_rng(training.seed).permutation(count)
    return order[: recipe.calibration_samples].astype(np.int32)


def _gather(tf: Any, x: Any, indices: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    tensors = x if isinstance(x, Mapping) else {"": x}
    return {name: tf.gather(tensor, indices).numpy() for name, tensor in tensors.items()}


def _cast_samples(network: Network, calibration: Calibration) -> Calibration:
    """Cast the samples to the types of the network's inputs, such as integers for token ids."""
    types = [port.dtype.as_numpy_dtype for port in network.inputs]
    by_name = dict(zip(network.input_names, types, strict=True))

    def cast_samples() -> Iterator[CalibrationSample]:
        for sample in calibration():
            if isinstance(sample, dict):
                yield {name: array.astype(by_name[name]) for name, array in sample.items()}
            else:
                pairs = zip(sample, types, strict=True)
                yield [array.astype(dtype) for array, dtype in pairs]

    return cast_samples

"""Convert networks to `.tflite`, with the converter options of each kind of recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.feeds import Network, TensorSamples
from litegate.build.toolchain.pretrained import ConvertedGraph
from litegate.spec import Kind, Recipe, Training

CalibrationSample = list[NDArray[Any]] | dict[str, NDArray[Any]]
Calibration = Callable[[], Iterator[CalibrationSample]]
"""Yields single samples, each as a list with the network's input, or as a mapping by input."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterOptions:
    """Options of TensorFlow's converter."""

    optimize: bool = True
    """Apply the default optimization: quantize all tensors that can be quantized."""
    calibrate: bool = False
    """Pass a representative data set, to calibrate the activations' ranges."""
    ports: bool = False
    """Set the types of input and output that the recipe declares."""
    operators: str = ""
    """Name of the allowed operators in `tf.lite.OpsSet`; empty for the default."""
    weights: str = ""
    """Type of the weights; empty for the optimization's default."""


_OPTIONS = {
    Kind.FLOAT32: ConverterOptions(optimize=False),
    Kind.INT8_QAT: ConverterOptions(ports=True),
    Kind.INT8_PTQ: ConverterOptions(calibrate=True, ports=True, operators="TFLITE_BUILTINS_INT8"),
    Kind.DYNAMIC_RANGE: ConverterOptions(),
    Kind.FLOAT16: ConverterOptions(weights="float16"),
    Kind.INT16X8: ConverterOptions(
        calibrate=True,
        ports=True,
        operators="EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
    ),
}


def convert(
    frameworks: Frameworks,
    network: Network | ConvertedGraph,
    recipe: Recipe,
    calibration: Calibration,
) -> bytes:
    """Convert a network, or a pretrained network without layers, to a `.tflite` file."""
    tf, options = frameworks.tf, _OPTIONS[recipe.kind]
    if isinstance(network, ConvertedGraph):
        converter, dataset = network.converter(frameworks), calibration
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        dataset = _cast_samples(network, calibration)
    if options.optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if options.calibrate:
        converter.representative_dataset = dataset
    if options.ports:
        converter.inference_input_type = tf.dtypes.as_dtype(recipe.input_type)
        converter.inference_output_type = tf.dtypes.as_dtype(recipe.output_type)
    if options.operators:
        converter.target_spec.supported_ops = [tf.lite.OpsSet[options.operators]]
    if options.weights:
        converter.target_spec.supported_types = [tf.dtypes.as_dtype(options.weights)]
    return bytes(converter.convert())


def make_calibration(
    frameworks: Frameworks,
    samples: TensorSamples,
    recipe: Recipe,
    training: Training,
    alive: Callable[[], None],
) -> Calibration:
    """Return the calibration: the first samples of a seeded permutation of the training split."""
    order = np.random.default_rng(training.seed).permutation(len(samples))
    indices = order[: recipe.calibration_samples].astype(np.int32)

    def calibration() -> Iterator[CalibrationSample]:
        arrays = _gather(frameworks.tf, samples.x_train, indices)
        for number in range(len(indices)):
            alive()
            sample = {name: array[number : number + 1] for name, array in arrays.items()}
            yield [sample[""]] if "" in sample else sample

    return calibration


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

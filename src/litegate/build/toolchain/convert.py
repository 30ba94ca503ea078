"""Conversion: what each kind of recipe asks of TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.feeds import Network, Samples
from litegate.build.toolchain.pretrained import Graph
from litegate.spec import Kind, Recipe, Training

Shown = list[NDArray[Any]] | dict[str, NDArray[Any]]
Calibration = Callable[[], Iterator[Shown]]
"""Gives single samples, each as a list of the network's input, or of several by name."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """What the converter is asked for."""

    optimize: bool = True
    """Its default optimization: quantize what can be quantized."""
    calibrate: bool = False
    """Show it samples, to learn the activations' ranges."""
    ports: bool = False
    """Give input and output the types that the recipe declares."""
    operators: str = ""
    """The only operators allowed, by their name in `tf.lite.OpsSet`."""
    weights: str = ""
    """The type of the weights, where the optimization's own is not meant."""


_WAYS = {
    Kind.FLOAT32: _Way(optimize=False),
    Kind.INT8_QAT: _Way(ports=True),
    Kind.INT8_PTQ: _Way(calibrate=True, ports=True, operators="TFLITE_BUILTINS_INT8"),
    Kind.DYNAMIC_RANGE: _Way(),
    Kind.FLOAT16: _Way(weights="float16"),
    Kind.INT16X8: _Way(
        calibrate=True,
        ports=True,
        operators="EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
    ),
}


def converted(
    frameworks: Frameworks, made: Network | Graph, recipe: Recipe, calibration: Calibration
) -> bytes:
    """The `.tflite` file of a network, or of a graph."""
    tf, way = frameworks.tf, _WAYS[recipe.kind]
    if isinstance(made, Graph):
        converter, shown = made.converter(frameworks), calibration
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(made)
        shown = _typed(made, calibration)
    if way.optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if way.calibrate:
        converter.representative_dataset = shown
    if way.ports:
        converter.inference_input_type = tf.dtypes.as_dtype(recipe.input_type)
        converter.inference_output_type = tf.dtypes.as_dtype(recipe.output_type)
    if way.operators:
        converter.target_spec.supported_ops = [tf.lite.OpsSet[way.operators]]
    if way.weights:
        converter.target_spec.supported_types = [tf.dtypes.as_dtype(way.weights)]
    return bytes(converter.convert())


def calibration_of(
    frameworks: Frameworks,
    samples: Samples,
    recipe: Recipe,
    training: Training,
    alive: Callable[[], None],
) -> Calibration:
    """The first `calibration_samples` of a seeded permutation of the training split."""
    order = np.random.default_rng(training.seed).permutation(len(samples))
    picked = order[: recipe.calibration_samples].astype(np.int32)

    def calibration() -> Iterator[Shown]:
        shown = _gathered(frameworks.tf, samples.x_train, picked)
        for number in range(len(picked)):
            alive()
            sample = {name: array[number : number + 1] for name, array in shown.items()}
            yield [sample[""]] if "" in sample else sample

    return calibration


def _gathered(tf: Any, x: Any, picked: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    named = x if isinstance(x, Mapping) else {"": x}
    return {name: tf.gather(array, picked).numpy() for name, array in named.items()}


def _typed(network: Network, calibration: Calibration) -> Calibration:
    """The samples in the types of the network's inputs, such as whole numbers for token ids."""
    types = [port.dtype.as_numpy_dtype for port in network.inputs]
    by_name = dict(zip(network.input_names, types, strict=True))

    def typed() -> Iterator[Shown]:
        for shown in calibration():
            if isinstance(shown, dict):
                yield {name: array.astype(by_name[name]) for name, array in shown.items()}
            else:
                yield [array.astype(one) for array, one in zip(shown, types, strict=True)]

    return typed

"""Convert networks to `.tflite`, with the converter options of each kind of recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from litegate.build.toolchain.calibration import Calibration, _cast_samples
from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.pretrained import ConvertedGraph
from litegate.build.toolchain.tensor_samples import Network
from litegate.spec import Kind, Recipe


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

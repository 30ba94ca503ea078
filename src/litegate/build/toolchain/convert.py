"""Convert networks to `.tflite`, with the converter options of each kind of recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, final

from litegate.build.toolchain.calibration import Calibration, _cast_samples
from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.pretrained import ConvertedGraph
from litegate.build.toolchain.tensor_samples import Network
from litegate.spec import Kind, Recipe
from litegate.tflite.parser import parse


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


# TensorFlow's message: the exception has no type of its own.
_NO_16X8 = re.compile(r"Quantization to 16x8-bit not yet supported for op: '(\w+)'")
_FREE_BATCH_REFUSED = "'tf.TensorListReserve' op requires element_shape to be static"
"""TensorFlow's message about a recurrent layer whose batch is free: it lists the layer's steps in a
list of tensors, which has to have a fixed shape."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A converted network."""

    tflite: bytes
    batch: int | None = None
    """The fixed batch, if the network could not be converted with a free one."""


def convert(
    frameworks: Frameworks,
    network: Network | ConvertedGraph,
    recipe: Recipe,
    calibration: Calibration,
) -> Converted:
    """Convert a network, or a pretrained network without layers, to a `.tflite` file.

    The batch stays free, but for recurrent layers that cannot be converted so. Raises
    ToolchainError for a recurrent layer that TensorFlow cannot quantize.
    """
    if isinstance(network, ConvertedGraph):
        converter = network.converter(frameworks)
        return Converted(tflite=_convert(frameworks, converter, recipe, calibration))
    samples = _cast_samples(network, calibration)
    if _OPTIONS[recipe.kind].calibrate:
        _refuse_loops(frameworks, network, recipe, samples)
    try:
        converter = frameworks.tf.lite.TFLiteConverter.from_keras_model(network)
        return Converted(tflite=_convert(frameworks, converter, recipe, samples))
    except Exception as error:  # the converter's own type is private to TensorFlow
        if _FREE_BATCH_REFUSED not in str(error):
            raise
        return Converted(tflite=_convert_one(frameworks, network, recipe, samples), batch=1)


def _convert_one(
    frameworks: Frameworks, network: Network, recipe: Recipe, samples: Calibration
) -> bytes:
    """Convert a network with a batch of one."""
    return _convert(frameworks, _with_batch_of_one(frameworks, network), recipe, samples)


def _unsupported_16x8(operator: str) -> ToolchainError:
    return ToolchainError(
        "unsupported-layer",
        f"TensorFlow cannot quantize {operator} to int16 activations and int8 weights",
        expected="an operator with a kernel for int16x8",
        remedy="remove int16x8 from the recipes; int8_ptq quantizes an LSTM with a 16-bit state",
    )


def _refuse_loops(
    frameworks: Frameworks, network: Network, recipe: Recipe, samples: Calibration
) -> None:
    """Raise ToolchainError for a recurrent layer that becomes a loop.

    Only an LSTM with Keras's default activations becomes one operator. TensorFlow 2.21 crashes when
    it calibrates the activations of a loop.
    """
    loops = [
        layer
        for layer in network.submodules
        if isinstance(layer, frameworks.keras.layers.RNN) and not layer.unroll
    ]
    if not loops:
        return
    floats = Recipe(name=Kind.FLOAT32.value, kind=Kind.FLOAT32)
    graph = parse(_convert_one(frameworks, network, floats, samples), subject="the network")
    if any(op.name == "WHILE" for subgraph in graph.subgraphs for op in subgraph.operators):
        names = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in loops)
        raise ToolchainError(
            "unsupported-layer",
            f"TensorFlow cannot quantize a recurrent layer that becomes a loop: {names}",
            expected=f"for {recipe.name}, an LSTM with default activations, or an unrolled layer",
            remedy="pass unroll=True to the layer, or use dynamic_range",
        )


def _with_batch_of_one(frameworks: Frameworks, network: Network) -> Any:
    """Return a converter of the network for one sample, with the same names of outputs."""
    tf = frameworks.tf
    ports = zip(network.input_names, network.inputs, strict=True)
    specs = [tf.TensorSpec([1, *port.shape[1:]], port.dtype, name=name) for name, port in ports]

    def answer(*inputs: Any) -> dict[str, Any]:
        outputs = network(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        several = outputs if isinstance(outputs, list) else [outputs]
        return dict(zip(network.output_names, several, strict=True))

    function = tf.function(answer).get_concrete_function(*specs)
    # The network, so that its variables live as long as the converter needs them.
    return tf.lite.TFLiteConverter.from_concrete_functions([function], network)


def _convert(
    frameworks: Frameworks, converter: Any, recipe: Recipe, calibration: Calibration
) -> bytes:
    """Convert with the options of the recipe's kind."""
    tf, options = frameworks.tf, _OPTIONS[recipe.kind]
    if options.optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if options.calibrate:
        converter.representative_dataset = calibration
    if options.ports:
        converter.inference_input_type = tf.dtypes.as_dtype(recipe.input_type)
        converter.inference_output_type = tf.dtypes.as_dtype(recipe.output_type)
    if options.operators:
        converter.target_spec.supported_ops = [tf.lite.OpsSet[options.operators]]
    if options.weights:
        converter.target_spec.supported_types = [tf.dtypes.as_dtype(options.weights)]
    try:
        return bytes(converter.convert())
    except RuntimeError as error:
        if unsupported := _NO_16X8.search(str(error)):
            raise _unsupported_16x8(unsupported[1]) from error
        raise

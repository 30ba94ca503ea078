"""List the supported layers of Keras 3: those that tfmot can quantize to 8 bits.

The names come from tfmot 0.8.1: its `Default8BitQuantizeRegistry`, and the layers that its
transforms handle. Needs only the standard library: the documentation's table is generated from it.
"""

from __future__ import annotations

from litegate.build.toolchain.failures import ToolchainError
from litegate.build.toolchain.preprocessing_layers import advice

_REGISTERED = (
    "Activation",
    "ActivityRegularization",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "LeakyReLU",
    "MaxPooling2D",
    "Permute",
    "ReLU",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
)
_TRANSFORMED = ("BatchNormalization", "InputLayer", "SeparableConv1D", "SeparableConv2D")

SUPPORTED = tuple(sorted(_REGISTERED + _TRANSFORMED))
"""Class names in `keras.layers`."""

_ELSEWHERE = "or build the network with the builder's parameter (tf_keras)"
_MODEL = "add the layers of the inner network to the outer one, " + _ELSEWHERE
_FIRST = "do this in the preprocessing of the data set, " + _ELSEWHERE
_REMEDIES = {
    "Functional": _MODEL,
    "Sequential": _MODEL,
    "Resizing": _FIRST,
}


def layer_error(layer: str, *, got: str, expected: str = "", remedy: str = "") -> ToolchainError:
    """Return the error for a layer that cannot be translated; `layer` is its name."""
    return _translation_error(f"the layer {layer} of the Keras 3 network", got, expected, remedy)


def network_error(name: str, *, got: str, expected: str, remedy: str = "") -> ToolchainError:
    """Return the error for a network that cannot be translated, whatever its layers."""
    return _translation_error(f"the Keras 3 network {name}", got, expected, remedy)


def unsupported_error(layer: str, kind: str, *, is_operation: bool) -> ToolchainError:
    """Return the error for a layer of an unsupported class `kind`.

    With `is_operation`, it is an operation on tensors, such as `a + b`.
    """
    if is_operation and kind in SUPPORTED:
        return layer_error(
            layer,
            got=f"the operation {kind} on tensors",
            expected="only layers",
            remedy=f"use the layer keras.layers.{kind}()",
        )
    remedy = advice(kind)
    return layer_error(
        layer,
        got=f"the operation {kind} on tensors" if is_operation else kind,
        expected="" if remedy else "one of " + ", ".join(SUPPORTED),
        remedy=remedy or _REMEDIES.get(kind, ""),
    )


def _translation_error(what: str, got: str, expected: str, remedy: str) -> ToolchainError:
    return ToolchainError(
        "keras3",
        f"{what} cannot be translated to tf_keras",
        expected=expected,
        got=got,
        remedy=remedy or "rewrite it with other layers, " + _ELSEWHERE,
    )

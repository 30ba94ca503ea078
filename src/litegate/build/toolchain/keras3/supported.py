"""Which layers of Keras 3 are translated: those that tfmot can quantize to 8 bits.

The names are tfmot 0.8.1's `Default8BitQuantizeRegistry` and the layers that its transforms take
care of. Standard library alone: the documentation's table is made of this one.
"""

from __future__ import annotations

from litegate.build.toolchain.failures import ToolchainError

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
"""Class names, as `keras.layers` has them."""

_ELSEWHERE = "or make the network from the builder's own argument (tf_keras)"
_MODEL = "add the layers of the inner network to the outer one, " + _ELSEWHERE
_FIRST = "do its work in the preprocessing of the data set, " + _ELSEWHERE
_REMEDIES = {
    "Functional": _MODEL,
    "Sequential": _MODEL,
    "Normalization": _FIRST,
    "Rescaling": _FIRST,
    "Resizing": _FIRST,
}


def refused(layer: str, *, got: str, expected: str = "", remedy: str = "") -> ToolchainError:
    """The error of a layer that cannot be translated, by its name in the network."""
    return _error(f"the layer {layer} of the Keras 3 network", got, expected, remedy)


def network_refused(name: str, *, got: str, expected: str, remedy: str = "") -> ToolchainError:
    """The error of a network that cannot be translated, whatever its layers are."""
    return _error(f"the Keras 3 network {name}", got, expected, remedy)


def unsupported(layer: str, kind: str, *, operation: bool) -> ToolchainError:
    """The error of a layer of class `kind`, or of an `operation` on tensors, such as `a + b`."""
    if operation and kind in SUPPORTED:
        return refused(
            layer,
            got=f"the operation {kind} on tensors",
            expected="layers alone",
            remedy=f"write it as the layer keras.layers.{kind}()",
        )
    return refused(
        layer,
        got=f"the operation {kind} on tensors" if operation else kind,
        expected="one of " + ", ".join(SUPPORTED),
        remedy=_REMEDIES.get(kind, ""),
    )


def _error(what: str, got: str, expected: str, remedy: str) -> ToolchainError:
    return ToolchainError(
        "keras3",
        f"{what} cannot be translated to tf_keras",
        expected=expected,
        got=got,
        remedy=remedy or "write it in another way, " + _ELSEWHERE,
    )

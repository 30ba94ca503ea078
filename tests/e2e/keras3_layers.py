"""Run by test_keras3.py in a process of its own: translates small Keras 3 networks, and tells.

Writes JSON to stdout: for each case of `SUPPORTED` how translation and quantization went, for each
of `REFUSED` the error, all layers that Keras 3 has, and those that tfmot has registered.
"""

from __future__ import annotations

import json
import os
import sys

from litegate.build.toolchain.determinism import load_frameworks, set_flags

set_flags()
REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
FRAMEWORKS = load_frameworks(1)

import keras  # noqa: E402 Keras 3, after the flags that it reads
import numpy as np  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
from keras import layers as k  # noqa: E402

from litegate.build.toolchain.keras3 import translate  # noqa: E402
from litegate.build.toolchain.keras3.verify import check_network  # noqa: E402
from litegate.core.errors import LitegateError  # noqa: E402

IMAGE, ROWS, VOLUME = (8, 8, 3), (8, 3), (4, 4, 4, 2)


def chain(shape, *more):
    return keras.Sequential([keras.Input(shape), *more])


def merged(merge, *, axis=None):
    one = keras.Input(IMAGE)
    two = k.Conv2D(3, 3, padding="same")(one)
    return keras.Model(one, merge([one, two]))


def shared():
    one, dense = keras.Input((4,)), k.Dense(4, activation="relu")
    return keras.Model(one, k.Add()([dense(one), dense(dense(one))]))


def residual():
    one = keras.Input(IMAGE)
    two = k.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(one)
    two = k.ReLU(6.0)(k.BatchNormalization()(two, training=False))
    skip = k.Conv2D(4, 1, strides=2)(one)
    return keras.Model(one, k.Dense(2)(k.Flatten()(k.Add()([two, skip]))))


def used():
    """Every weight is drawn, those that begin as zeros and ones too."""
    network = chain(IMAGE, k.Conv2D(4, 3), k.BatchNormalization(), k.Dense(2))
    draw = np.random.default_rng(3)
    network.set_weights([draw.uniform(0.5, 2, w.shape) for w in network.get_weights()])
    return network


def frozen():
    network = chain(IMAGE, k.Conv2D(4, 3, trainable=False), k.Flatten(), k.Dense(2))
    assert len(network.trainable_weights) == 2
    return network


def built_later():
    network = keras.Sequential([k.Dense(4), k.Dense(2)])
    network.build((None, 5))
    return network


def dense(**settings):
    return chain((6,), k.Dense(4, **settings))


class Threes(keras.initializers.Initializer):
    """A user's own."""

    def __call__(self, shape, dtype=None):
        return 3 * keras.ops.ones(shape, dtype)


SUPPORTED = {
    "Activation": lambda: chain(IMAGE, k.Conv2D(3, 3), k.Activation("relu")),
    "ActivityRegularization": lambda: chain((6,), k.ActivityRegularization(l2=0.1)),
    "Add": lambda: merged(k.Add()),
    "AveragePooling1D": lambda: chain(ROWS, k.AveragePooling1D(2)),
    "AveragePooling2D": lambda: chain(IMAGE, k.AveragePooling2D(2, padding="same", strides=3)),
    "BatchNormalization": lambda: chain(IMAGE, k.Conv2D(3, 3), k.BatchNormalization(epsilon=0.1)),
    "Concatenate": lambda: merged(k.Concatenate(axis=2)),
    "Conv2D": lambda: chain(IMAGE, k.Conv2D(4, (2, 3), dilation_rate=2, activation="relu")),
    "Conv2DTranspose": lambda: chain(IMAGE, k.Conv2DTranspose(4, 3, strides=2, padding="same")),
    "Cropping1D": lambda: chain(ROWS, k.Cropping1D((1, 2))),
    "Cropping2D": lambda: chain(IMAGE, k.Cropping2D(((1, 2), (0, 1)))),
    "Cropping3D": lambda: chain(VOLUME, k.Cropping3D(1)),
    "Dense": lambda: dense(activation="softmax"),
    "DepthwiseConv2D": lambda: chain(IMAGE, k.DepthwiseConv2D(3, depth_multiplier=2)),
    "Dropout": lambda: dense_with(k.Dropout(0.5, seed=3)),
    "Flatten": lambda: chain(IMAGE, k.Flatten()),
    "GlobalAveragePooling1D": lambda: chain(ROWS, k.GlobalAveragePooling1D()),
    "GlobalAveragePooling2D": lambda: chain(IMAGE, k.GlobalAveragePooling2D(keepdims=True)),
    "GlobalAveragePooling3D": lambda: chain(VOLUME, k.GlobalAveragePooling3D()),
    "GlobalMaxPooling1D": lambda: chain(ROWS, k.GlobalMaxPooling1D()),
    "GlobalMaxPooling2D": lambda: chain(IMAGE, k.GlobalMaxPooling2D()),
    "GlobalMaxPooling3D": lambda: chain(VOLUME, k.GlobalMaxPooling3D()),
    "InputLayer": lambda: keras.Sequential([k.InputLayer(shape=(6,)), k.Dense(2)]),
    "LeakyReLU": lambda: chain((6,), k.LeakyReLU(negative_slope=0.2)),
    "MaxPooling2D": lambda: chain(IMAGE, k.MaxPooling2D((2, 3))),
    "Permute": lambda: chain(IMAGE, k.Permute((3, 1, 2))),
    "ReLU": lambda: chain((6,), k.ReLU(max_value=6.0, threshold=1.0)),
    "Reshape": lambda: chain((6,), k.Reshape((3, -1))),
    "SeparableConv1D": lambda: chain(ROWS, k.SeparableConv1D(4, 3)),
    "SeparableConv2D": lambda: chain(IMAGE, k.SeparableConv2D(4, 3, depth_multiplier=2)),
    "Softmax": lambda: chain((6,), k.Softmax()),
    "SpatialDropout1D": lambda: chain(ROWS, k.SpatialDropout1D(0.5)),
    "SpatialDropout2D": lambda: chain(IMAGE, k.SpatialDropout2D(0.5)),
    "SpatialDropout3D": lambda: chain(VOLUME, k.SpatialDropout3D(0.5)),
    "UpSampling2D": lambda: chain(IMAGE, k.UpSampling2D(2, interpolation="bilinear")),
    "ZeroPadding1D": lambda: chain(ROWS, k.ZeroPadding1D((1, 2))),
    "ZeroPadding2D": lambda: chain(IMAGE, k.ZeroPadding2D(((1, 0), (2, 1)))),
    "shared layer": shared,
    "residual": residual,
    "used weights": used,
    "frozen layer": frozen,
    "built later": built_later,
    "regularizer": lambda: dense(
        kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1(2)
    ),
    "constraint": lambda: dense(kernel_constraint=keras.constraints.MaxNorm(1.5)),
    "own initializer": lambda: dense(kernel_initializer=Threes()),
    "MobileNetV2": lambda: keras.applications.MobileNetV2(
        input_shape=(96, 96, 3), alpha=0.35, weights=None, classes=10
    ),
    "one in a list": lambda: keras.Model([one := keras.Input((4,))], [k.Dense(2)(one)]),
}


def dense_with(*more):
    return chain((6,), *more, k.Dense(4))


@keras.saving.register_keras_serializable()
class Shrink(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.1 * keras.ops.sum(x)

    def get_config(self):
        return {}


class Dense(k.Dense):
    """A user's own layer under a known name."""


class Subclassed(keras.Model):
    def call(self, x):
        return x


def odd(layer):
    """A network with a layer named `odd_one`."""
    return chain((6,), k.Dense(6), layer)


def plus():
    one = keras.Input((6,), name="one")
    return keras.Model(one, k.Dense(6)(one) + one)


def masked():
    one = keras.Input((6,))
    return keras.Model(one, k.Softmax(name="odd_one")(one, mask=k.Dense(6)(one)))


def lora():
    layer = k.Dense(6, name="odd_one")
    network = odd(layer)
    layer.enable_lora(2)
    return network


def by_name():
    one = keras.Input((6,), name="a")
    return keras.Model({"a": one}, k.Dense(6)(one), name="odd_one")


REFUSED = {
    "Lambda": lambda: odd(k.Lambda(lambda x: x * 2, name="odd_one")),
    "Rescaling": lambda: odd(k.Rescaling(2.0, name="odd_one")),
    "Multiply": lambda: keras.Model(
        one := keras.Input((6,)), k.Multiply(name="odd_one")([one, k.Dense(6)(one)])
    ),
    "operation": plus,
    "nested network": lambda: odd(keras.Sequential([k.Dense(2)], name="odd_one")),
    "subclassed network": lambda: Subclassed(name="odd_one"),
    "own layer": lambda: odd(Dense(2, name="odd_one")),
    "no input": lambda: keras.Sequential([k.Dense(2)], name="odd_one"),
    "float16": lambda: odd(k.Dense(2, dtype="mixed_float16", name="odd_one")),
    "own regularizer": lambda: odd(k.Dense(2, kernel_regularizer=Shrink(), name="odd_one")),
    "activation that is a layer": lambda: odd(k.Dense(2, activation=k.ReLU(6.0), name="odd_one")),
    "activation of another name": lambda: odd(k.Dense(2, activation="squareplus", name="odd_one")),
    "activation of another meaning": lambda: odd(k.Activation("hard_sigmoid", name="odd_one")),
    "renorm": lambda: odd(k.BatchNormalization(renorm=True, name="odd_one")),
    "mask": masked,
    "lora": lora,
    "inputs by name": by_name,
}


def quantized(network):
    """The layers that tfmot wraps without an error."""
    return [
        type(layer).__name__ for layer in tfmot.quantization.keras.quantize_model(network).layers
    ]


def tell(make):
    network = make()
    twin = translate(FRAMEWORKS, network)
    weights = zip(network.get_weights(), twin.get_weights(), strict=True)
    x = (
        np.random.default_rng(9)
        .standard_normal((3, *network.inputs[0].shape[1:]))
        .astype("float32")
    )
    theirs, ours = (np.asarray(FRAMEWORKS.tf.nest.flatten(each(x))[0]) for each in (network, twin))
    return {
        "module": type(twin).__module__,
        "kinds": [type(twin).__name__, type(network).__name__],
        "names": [[layer.name for layer in each.layers] for each in (twin, network)],
        "trainable": [len(each.trainable_weights) for each in (twin, network)],
        "losses": [round(float(sum(each.losses)), 4) for each in (twin, network)],
        "same weights": all(np.array_equal(a, b) for a, b in weights),
        "difference": float(np.abs(theirs - ours).max()),
        "quantized": quantized(twin),
    }


def refusal(make):
    network = make()
    try:
        translate(FRAMEWORKS, network)
    except LitegateError as error:
        return {"kind": error.kind, "text": str(error)}
    return None


def found_difference(one, other):
    """What is said of a network beside the translation of another."""
    try:
        check_network(FRAMEWORKS, one, translate(FRAMEWORKS, other))
    except LitegateError as error:
        return error.got
    return None


def differences():
    """A weight moved by a thousandth; an axis changed for another; the output cut."""
    network, moved = (chain((6,), k.Dense(3, kernel_initializer="ones")) for _ in range(2))
    moved.layers[0].kernel.assign_add([[0.001, 0, 0]] * 6)
    back, forth = (chain((4, 4), k.Permute(order)) for order in ((1, 2), (2, 1)))
    return [
        found_difference(network, moved),
        found_difference(back, forth),
        found_difference(network, dense()),
        found_difference(network, network),
    ]


def registered():
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    known = registry.Default8BitQuantizeRegistry()._layer_quantize_map
    return sorted(each.__name__ for each in known)


def attempt(function, make):
    try:
        return function(make)
    except Exception as error:  # noqa: BLE001 the test shows it
        return {"exception": f"{type(error).__name__}: {error}"}


json.dump(
    {
        "supported": {name: attempt(tell, make) for name, make in SUPPORTED.items()},
        "refused": {name: attempt(refusal, make) for name, make in REFUSED.items()},
        "registered": registered(),
        "differences": differences(),
        "layers": sorted(
            name
            for name, each in vars(k).items()
            if isinstance(each, type) and issubclass(each, k.Layer) and each.__name__ == name
        ),
    },
    REPORT,
)
REPORT.flush()
sys.stderr.flush()
os._exit(0)

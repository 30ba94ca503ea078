"""A project of small networks, and what the tool chain makes of them in a child."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from litegate.build import process
from litegate.core.errors import LitegateError
from litegate.spec import DataLocations

ALL = (
    "float32",
    "float32+1",
    "int8_qat",
    "int8_qat_scratch",
    "uint8_qat",
    "annotated",
    "custom",
    "int8_ptq",
    "uint8_ptq",
    "dynamic_range",
    "float16",
    "int16x8",
)


MODELS = '''
"""Small networks on the bundled digits."""

import functools

import litegate as lg
from litegate.spec.recipes import *


def keep_dense_float(network, tfmot):
    quantize = tfmot.quantization.keras.quantize_annotate_layer
    import tf_keras

    return tf_keras.models.clone_model(
        network, clone_function=lambda layer: layer if layer.name == "dense" else quantize(layer)
    )


def lose_the_weights(network, tfmot):
    quantize = tfmot.quantization.keras.quantize_annotate_layer
    import tf_keras

    again = lambda layer: quantize(type(layer).from_config(layer.get_config()))
    return tf_keras.models.clone_model(network, clone_function=again)


def trained_in_place(network, tfmot):
    for layer in network.layers:
        layer.set_weights([values + 0.5 for values in layer.get_weights()])
    return tfmot.quantization.keras.quantize_annotate_model(network)


@functools.cache
def configs():
    import tensorflow_model_optimization as tfmot

    quantizers = tfmot.quantization.keras.quantizers
    last = quantizers.LastValueQuantizer
    moving = quantizers.MovingAverageQuantizer
    weights = {"num_bits": 8, "symmetric": True, "narrow_range": True, "per_axis": False}
    activations = {"num_bits": 8, "symmetric": False, "narrow_range": False, "per_axis": False}

    class DenseConfig(tfmot.quantization.keras.QuantizeConfig):
        def get_weights_and_quantizers(self, layer):
            return [(layer.kernel, last(**weights))]

        def get_activations_and_quantizers(self, layer):
            return [(layer.activation, moving(**activations))]

        def set_quantize_weights(self, layer, quantize_weights):
            layer.kernel = quantize_weights[0]

        def set_quantize_activations(self, layer, quantize_activations):
            layer.activation = quantize_activations[0]

        def get_output_quantizers(self, layer):
            return []

        def get_config(self):
            return {}

    return {"DenseConfig": DenseConfig}


def with_a_config(network, tfmot):
    import tf_keras

    quantize = tfmot.quantization.keras.quantize_annotate_layer

    def annotated(layer):
        return quantize(layer, configs()["DenseConfig"]() if layer.name == "dense" else None)

    return tf_keras.models.clone_model(network, clone_function=annotated)


RECIPES = [
    float32(),
    int8_qat(),
    int8_qat(from_scratch=True),
    int8_qat(name="uint8_qat", input_type="uint8", output_type="int8"),
    int8_qat(name="annotated", annotate=keep_dense_float),
    int8_qat(name="custom", annotate=with_a_config, custom_objects=configs),
    int8_ptq(calibration_samples=50),
    int8_ptq(name="uint8_ptq", calibration_samples=50, input_type="uint8", output_type="uint8"),
    dynamic_range(),
    float16(),
    int16x8(calibration_samples=50),
]
TWO = lg.Training(epochs=2, batch_size=32, seed=7)
ONE = lg.Training(epochs=1, batch_size=64, seed=7)


def declared(training=ONE, recipes=(float32(),), data=lg.datasets.digits()):
    return lg.model(data=data, training=training, recipes=recipes)


def layers(keras, *more):
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            *more,
            keras.layers.Dense(10),
        ]
    )


@declared(TWO, RECIPES)
def small(keras):
    return layers(keras)


@declared(TWO, RECIPES)
def random_layers(keras):
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(10),
        ]
    )


def with_softmax(keras):
    network = layers(keras)
    network.add(keras.layers.Softmax())
    return network


as_shares, as_logits = (
    lg.model(
        name=name,
        data=lg.datasets.digits(),
        training=lg.Training(epochs=2, from_logits=from_logits),
        recipes=[float32(), int8_qat()],
    )(with_softmax)
    for name, from_logits in {"as_shares": False, "as_logits": True}.items()
)


@declared(TWO)
def compiled_already(keras):
    network = layers(keras)
    network.compile("sgd", "mse")
    return network


UNTUNED = int8_qat(name="untuned", fine_tune_epochs=0)


@declared(lg.Training(fine_tune_learning_rate=0.0), [float32(), int8_qat(), UNTUNED])
def stands_still(keras):
    return layers(keras)


calls = []


@declared()
def moody(keras):
    calls.append(1)
    return layers(keras, *[keras.layers.Dense(5) for _ in calls])


@declared(lg.Training(epochs=3, optimizer="sgd", learning_rate=1e30))
def explodes(keras):
    return layers(keras)


@declared(lg.Training(epochs=1_000_000), recipes=[int8_qat()])
def unsupported(keras):
    return layers(keras, keras.layers.LayerNormalization(name="odd_one"))


@declared(recipes=[int8_qat()])
def left_float(keras):
    return layers(keras, keras.layers.Lambda(lambda x: x * 2, name="odd_one"))


def nothing_annotated(network, tfmot):
    return network


@declared(recipes=[int8_qat(annotate=nothing_annotated)])
def annotates_nothing(keras):
    return layers(keras)


@declared(recipes=[int8_qat(annotate=trained_in_place)])
def trains_on(keras):
    return layers(keras)


@declared(recipes=[int8_qat(annotate=lose_the_weights)])
def forgets(keras):
    return layers(keras)


@declared()
def no_network(keras):
    return None


@declared()
def other_shape(keras):
    shape = (8, 8, 1)
    return keras.Sequential([keras.layers.InputLayer(input_shape=shape), keras.layers.Flatten()])


@declared()
def nine_scores(keras):
    taken = keras.layers.InputLayer(input_shape=(8, 8))
    return keras.Sequential([taken, keras.layers.Flatten(), keras.layers.Dense(9)])


@declared()
def no_shape(keras):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])


@declared()
def raises(keras):
    print("a user's own print")
    return helper()


def helper():
    raise ValueError("no such layer here")  # raised here


@declared()
def exits(keras):
    raise SystemExit(3)


@declared()
def out_of_memory(keras):
    raise MemoryError


@declared()
def is_killed(keras):
    import os

    os.kill(os.getpid(), 9)


@declared()
def hangs(keras):
    while True:
        pass  # hangs here


@declared(lg.Training(optimizer="adamm"))
def misspelt_optimizer(keras):
    return layers(keras)


@declared(lg.Training(loss="crossentropie"))
def misspelt_loss(keras):
    return layers(keras)


@declared(data=lg.datasets.mnist(url="http://127.0.0.1:9/mnist.npz"))
def without_data(keras):
    raise AssertionError


RECURRENT = [
    float32(), dynamic_range(), int8_ptq(calibration_samples=5), int8_qat(),
    int16x8(calibration_samples=5),
]


def recurrent(keras, layer):
    return keras.Sequential(
        [keras.layers.Input((8, 8), name="strokes"), layer, keras.layers.Dense(10)]
    )


@declared(recipes=RECURRENT)
def remembers(keras):
    return recurrent(keras, keras.layers.LSTM(4, name="memory"))


@declared(recipes=RECURRENT)
def loops(keras):
    return recurrent(keras, keras.layers.GRU(4, name="memory"))


@declared(recipes=RECURRENT)
def unrolled(keras):
    return recurrent(keras, keras.layers.GRU(4, unroll=True))


@declared(recipes=[int8_qat()])
def separated(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer(input_shape=(8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(8, 3, name="conv2d"),
            layers.SeparableConv2D(16, 3, name="separable_conv2d"),
            layers.Flatten(),
            layers.Dense(10, name="dense"),
        ]
    )


@declared()
def talks(keras):
    import os, sys

    print('{"event": "done"}', flush=True)
    os.write(1, b"noise without an end")
    assert sys.stdin.read() == ""
    return layers(keras)
'''


class Project:
    """A project with one file of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "models" / "models.py"
        self.file.parent.mkdir()
        self.file.write_text(MODELS)
        self._runs = 0

    def line(self, text: str) -> int:
        return 1 + next(n for n, line in enumerate(MODELS.splitlines()) if text in line)

    def request(self, model: str, *recipes: str, **places: Path) -> process.Request:
        self._runs += 1
        return process.Request(
            file=self.file,
            project=self.folder,
            model=model,
            recipes=recipes,
            locations=DataLocations(**places),
            staging=self.folder / f"staging{self._runs}",
        )

    def build(self, model: str, *recipes: str, events: list[process.Event] | None = None) -> Path:
        request = self.request(model, *recipes)
        hear: Callable[[process.Event], None] = events.append if events is not None else ignore
        process.build(request, hear, 120)
        return request.staging

    def error(self, model: str, recipe: str = "float32", timeout: float = 120) -> LitegateError:
        request = self.request(model, recipe)
        with pytest.raises(LitegateError) as caught:
            process.build(request, ignore, timeout)
        assert not list(request.staging.glob("*/model.tflite"))
        return caught.value


def ignore(_event: process.Event) -> None:
    pass


def digests(staging: Path, *recipes: str) -> dict[str, str]:
    """SHA-256 of each recipe's file and of its network's outputs."""
    return {
        f"{recipe}/{name}": hashlib.sha256((staging / recipe / name).read_bytes()).hexdigest()
        for recipe in recipes
        for name in ("model.tflite", "keras_outputs.npy", "history.json")
    }

"""Claim: gating a model from nothing takes no longer than a plain script that does the same work.

Ours is `pytest checks/` for `mnist_cnn` and its `int8_qat` on an empty store, latency excluded.
Theirs trains one epoch with Keras's `fit`, quantizes, fine-tunes one epoch, trains the float
control one epoch, converts the three and evaluates each on the 10,000 samples one by one, as the
tutorial does.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from side_by_side import Command, compare

PROJECT = Path(__file__).resolve().parent.parent
ROUNDS = 3
PLAIN = """
import os
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np, tensorflow as tf, tf_keras as keras, tensorflow_model_optimization as tfmot
d = np.load(os.path.join(os.environ["LITEGATE_DATA"], "mnist.npz"))
x, y, xt, yt = d["x_train"] / 255.0, d["y_train"], d["x_test"] / 255.0, d["y_test"]

def network():
    return keras.Sequential([
        keras.layers.InputLayer(input_shape=(28, 28)),
        keras.layers.Reshape(target_shape=(28, 28, 1)),
        keras.layers.Conv2D(filters=12, kernel_size=(3, 3), activation="relu"),
        keras.layers.MaxPooling2D(pool_size=(2, 2)),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ])

def train(network):
    network.compile(optimizer="adam", metrics=["accuracy"],
                    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(x, y, epochs=1, verbose=0)

def evaluate(tflite):
    interpreter = tf.lite.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sink = interpreter.get_output_details()[0]["index"]
    right = 0
    for image, label in zip(xt, yt):
        interpreter.set_tensor(source, np.expand_dims(image, axis=0).astype(np.float32))
        interpreter.invoke()
        right += interpreter.get_tensor(sink)[0].argmax() == label
    return right / len(xt)

keras.utils.set_random_seed(7)
base = network(); train(base)
float_file = tf.lite.TFLiteConverter.from_keras_model(base).convert()
aware = tfmot.quantization.keras.quantize_model(base); train(aware)
converter = tf.lite.TFLiteConverter.from_keras_model(aware)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
quantized_file = converter.convert()
train(base)
control_file = tf.lite.TFLiteConverter.from_keras_model(base).convert()
print(*(evaluate(each) for each in (float_file, control_file, quantized_file)))
"""


def main() -> None:
    """Time both in turn, each from nothing."""
    if "LITEGATE_DATA" not in os.environ:
        sys.exit("set LITEGATE_DATA to a folder with mnist.npz")
    with TemporaryDirectory() as name:
        store = Path(name) / "store"
        env = os.environ | {"LITEGATE_STORE": str(store), "TF_CPP_MIN_LOG_LEVEL": "3"}
        chosen = ["--litegate-model", "mnist_cnn", "--litegate-recipe", "int8_qat"]
        argv = [sys.executable, "-m", "pytest", "-q", "checks/", "-m", "not latency", *chosen]
        compare(
            Command(
                "pytest checks/, empty store",
                argv,
                env,
                str(PROJECT),
                before=lambda: shutil.rmtree(store, ignore_errors=True),
            ),
            Command("plain script", [sys.executable, "-c", PLAIN], env, name),
            rounds=ROUNDS,
        )


if __name__ == "__main__":
    main()

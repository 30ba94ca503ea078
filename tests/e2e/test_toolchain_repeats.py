"""The tool chain gives the same bytes in any order and beside anything, and those of Keras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toolchain_projects import ALL, Project, digests

pytestmark = pytest.mark.slow

RECIPES = ("float32", "int8_qat")


def test_same_bytes_in_any_order(networks: Project, together: Path) -> None:
    """Every recipe reversed: the same files, outputs and histories."""
    reversed_run = networks.build("small", *reversed(ALL))
    assert digests(reversed_run, *ALL) == digests(together, *ALL)


@pytest.mark.parametrize("recipe", ["int8_qat", "int8_qat_scratch", "float32+1", "int8_ptq"])
def test_same_bytes_alone(networks: Project, together: Path, recipe: str) -> None:
    """A recipe built alone gives what it gives among the others."""
    assert digests(networks.build("small", recipe), recipe) == digests(together, recipe)


def test_same_bytes_with_random_layers(networks: Project) -> None:
    """Dropout and batch normalization: two runs and two orders give the same files."""
    names = ("float32+1", "int8_qat_scratch", "int8_qat")
    one = networks.build("random_layers", *names)
    other = networks.build("random_layers", *reversed(names))
    assert digests(one, *names) == digests(other, *names)


def test_a_last_softmax_is_trained_on_its_logits(networks: Project) -> None:
    """tf_keras looks for it, whatever `from_logits` says, in tfmot's wrapped network too."""
    outputs = {
        name: [np.load(networks.build(name, it) / it / "keras_outputs.npy") for it in RECIPES]
        for name in ("as_shares", "as_logits")
    }
    for shares, logits in zip(*outputs.values(), strict=True):
        assert np.array_equal(shares, logits)
        assert shares.sum(axis=-1) == pytest.approx(1, abs=0.05)


def test_training_is_that_of_keras_fit(networks: Project, together: Path, tmp_path: Path) -> None:
    """Keras's own `fit` on the same batches gives the same losses, outputs and file."""
    subprocess.run(
        [sys.executable, "-c", PLAIN, str(networks.file), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
    )
    for recipe in ("float32", "int8_qat"):
        plain = tmp_path / recipe
        rows = json.loads((together / recipe / "history.json").read_text())
        losses = json.loads(plain.with_suffix(".json").read_text())
        assert [row["loss"] for row in rows][-len(losses) :] == losses
        kept = np.load(together / recipe / "keras_outputs.npy")
        assert np.array_equal(kept, np.load(plain.with_suffix(".npy")))
        made = (together / recipe / "model.tflite").read_bytes()
        assert made == plain.with_suffix(".tflite").read_bytes()


PLAIN = """
import json, os, sys
os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
os.environ |= {"CUDA_VISIBLE_DEVICES": "-1"}
from pathlib import Path
import numpy as np, tensorflow as tf, tf_keras as keras
import tensorflow_model_optimization as tfmot
from litegate.data import prepare
from litegate.spec.loader import load_file
from litegate.spec import DataLocations
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.experimental.enable_op_determinism()
file, folder = map(Path, sys.argv[1:])
model = load_file(file, file.parent)["small"]
data = prepare(model.data, DataLocations())

def train(network, epochs):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    losses = []
    for epoch in epochs:
        order = np.random.default_rng([7, epoch]).permutation(len(data.x_train))
        x, y = data.x_train[order], data.y_train[order]
        losses += network.fit(x, y, batch_size=32, shuffle=False, verbose=0).history["loss"]
    return losses

def keep(name, network, losses, optimize):
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if optimize else []
    (folder / f"{name}.tflite").write_bytes(converter.convert())
    np.save(folder / f"{name}.npy", network.predict(data.x_test, batch_size=250, verbose=0))
    (folder / f"{name}.json").write_text(json.dumps(losses))

keras.backend.clear_session(); keras.utils.set_random_seed(7)
network = model.build(keras)
keep("float32", network, train(network, range(2)), False)
weights = network.get_weights()
keras.backend.clear_session(); keras.utils.set_random_seed(7)
network = model.build(keras)
network.set_weights(weights)
network = tfmot.quantization.keras.quantize_model(network)
keep("int8_qat", network, train(network, [2]), True)
"""

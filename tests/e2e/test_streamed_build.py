"""Streams through the real tool chain: the files are those that arrays give, byte for byte."""

import json

import pytest

from litegate.build import process
from litegate.core.errors import ConfigError
from litegate.spec import DataLocations

pytestmark = pytest.mark.slow

MODELS = '''
"""One network on the digits: as arrays, as one stream, as tf.data."""

from dataclasses import replace

import numpy as np

import litegate as lg
from litegate.data import disk_arrays

disk_arrays.IN_MEMORY = {in_memory}
DIGITS = lg.datasets.digits()


def one_by_one(locations):
    raw = DIGITS.load(locations)
    train, test = zip(raw.x_train, raw.y_train), zip(raw.x_test, raw.y_test)
    return lg.Splits(
        train=lg.Stream(source=train, batched=False), test=lg.Stream(source=test, batched=False)
    )


def tensors(locations):
    import tensorflow as tf

    raw = DIGITS.load(locations)
    train = tf.data.Dataset.from_tensor_slices((raw.x_train, raw.y_train))
    test = tf.data.Dataset.from_tensor_slices((raw.x_test, raw.y_test)).batch(100)
    return lg.Splits(
        train=lg.Stream(source=train, batched=False), test=lg.Stream(source=test, batched=True)
    )


def declared(load):
    return lg.model(
        data=replace(DIGITS, load=load),
        name=load.__name__,
        training=lg.Training(epochs=1),
        recipes=[lg.recipes.int8_qat()],
    )


def network(keras):
    layers = keras.layers
    first = layers.InputLayer(input_shape=(8, 8))
    return keras.Sequential([first, layers.Flatten(), layers.Dense(10)])


def arrays(locations):
    return DIGITS.load(locations)


first = declared(arrays)(network)
second = declared(one_by_one)(network)
third = declared(tensors)(network)
'''


def build(folder, model, in_memory, *, top=""):
    """What a build in a process of its own leaves of each file."""
    (folder / "models").mkdir(parents=True)
    file, staging = folder / "models" / "mine.py", folder / "staging"
    file.write_text(MODELS.format(in_memory=in_memory) + top)
    staging.mkdir()
    request = process.Request(
        file=file,
        project=folder,
        model=model,
        recipes=("int8_qat",),
        locations=DataLocations(),
        staging=staging,
    )
    process.build(request, lambda _: None, timeout=300)
    names = ("int8_qat/model.tflite", "int8_qat/keras_outputs.npy", "int8_qat/history.json")
    return {
        name: (staging / name).read_bytes()
        for name in (*names, "evaluation/x.npy", "evaluation/y.npy")
    }


@pytest.fixture(scope="module")
def of_arrays(tmp_path_factory):
    return build(tmp_path_factory.mktemp("arrays"), "arrays", 1 << 30)


SAMPLES_ON_DISK = 10_000
"""Bytes: fewer than those of the samples, more than those of the labels."""


@pytest.mark.parametrize(
    ("model", "in_memory"),
    [("arrays", 0), ("one_by_one", 1 << 30), ("tensors", SAMPLES_ON_DISK)],
)
def test_streams_give_the_files_that_arrays_give(of_arrays, tmp_path, model, in_memory):
    """Whether the evaluation split is held in memory or read from disk."""
    assert build(tmp_path, model, in_memory) == of_arrays


def test_labels_on_disk_cost_the_losses_after_each_epoch_alone(of_arrays, tmp_path):
    """What ships is the same; Keras does not judge on labels that it would have to hold."""
    found = build(tmp_path, "tensors", 0)
    rows = [json.loads(one.pop("int8_qat/history.json")) for one in (found, dict(of_arrays))]
    unjudged = [row | {"val_accuracy": None, "val_loss": None} for row in rows[1]]
    assert rows[0] == unjudged
    assert found == {k: v for k, v in of_arrays.items() if k in found}


def test_a_file_that_computes_while_it_is_imported_is_still_refused(tmp_path):
    """Its threads are not ours; what a data set computes when it is loaded has them."""
    top = "import tensorflow as tf\nONE = tf.constant(1)\n"
    with pytest.raises(ConfigError, match="TensorFlow ran before"):
        build(tmp_path, "tensors", 0, top=top)

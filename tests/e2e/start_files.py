"""Trained networks in files of every format, made and opened in a process with TensorFlow.

    python tests/e2e/start_files.py FOLDER

Writes the files into FOLDER, and to stdout, as JSON, what becomes of each that is opened.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

from litegate.build.toolchain.determinism import load_frameworks, set_flags

set_flags()

import keras  # noqa: E402 after the flags, as all below
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

from litegate import data as splits  # noqa: E402
from litegate.build.toolchain.failures import ToolchainError  # noqa: E402
from litegate.build.toolchain.pretrained import ConvertedGraph, open_network  # noqa: E402
from litegate.spec import DataLocations, Kind, Recipe  # noqa: E402

SHAPE = (8, 8)
SPLITS = splits.prepare(splits.digits(), DataLocations())


def network(library, *more, classes=10):
    first = (
        library.Input(SHAPE)
        if library is keras
        else library.layers.InputLayer(input_shape=SHAPE, name="pixels")
    )
    return library.Sequential(
        [
            first,
            library.layers.Reshape((*SHAPE, 1)),
            library.layers.Conv2D(8, 3, activation="relu"),
            library.layers.Flatten(),
            *more,
            library.layers.Dense(classes),
        ]
    )


def trained(library, made):
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    library.utils.set_random_seed(7)
    made.compile(library.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    made.fit(SPLITS.x_train, SPLITS.y_train, epochs=8, batch_size=64, verbose=0)
    return made


class Own(tf_keras.layers.Layer):
    def call(self, x):
        return 2 * x


class Module(tf.Module):
    """The network without layers; `act` is done to its inputs first."""

    def __init__(self, made, act=lambda x: x, shape=(None, *SHAPE)):
        super().__init__()
        self.kernel, self.bias, self.weight, self.last = map(tf.Variable, made.get_weights())
        spec = tf.TensorSpec(shape, tf.float32, name="pixels")

        def answer(x):
            rows = tf.reshape(act(x), (-1, *SHAPE, 1))
            found = tf.nn.relu(tf.nn.conv2d(rows, self.kernel, 1, "VALID") + self.bias)
            return tf.reshape(found, (-1, 6 * 6 * 8)) @ self.weight + self.last

        self.answer = tf.function(answer, input_signature=[spec])

    def save(self, path, **signatures):
        tf.saved_model.save(self, str(path), signatures or {"serving_default": self.answer})


def make(folder):
    """Write the files; gives the answers of each network that is as it should be."""
    older, newer = trained(tf_keras, network(tf_keras)), trained(keras, network(keras))
    older.save(folder / "older.keras")
    older.save(folder / "older.h5")
    older.save(folder / "older", save_format="tf")
    newer.save(folder / "newer.keras")
    newer.save(folder / "newer.h5")
    newer.export(str(folder / "exported"), verbose=False)
    Module(older).save(folder / "plain")
    Module(older, shape=(1, *SHAPE)).save(folder / "single")
    answers = {each: made.predict(SPLITS.x_test, verbose=0) for each, made in
               (("older", older), ("newer", newer))}  # fmt: skip
    np.savez(folder / "answers.npz", **answers)
    _refused(folder, older)
    _damaged(folder)


def _refused(folder, older):
    lambdas = network(tf_keras, tf_keras.layers.Lambda(lambda x: x * 2, name="twice"))
    for suffix in (".keras", ".h5", ""):
        lambdas.save(folder / f"lambda{suffix}", **({} if suffix else {"save_format": "tf"}))
    newer = network(keras, keras.layers.Lambda(lambda x: x * 2, name="twice"))
    newer.save(folder / "lambda3.keras")
    newer.save(folder / "lambda3.h5")
    own = network(tf_keras, Own(name="mine"))
    own.save(folder / "own.keras")
    own.save(folder / "own.h5")
    own.save(folder / "own", save_format="tf")
    network(keras, keras.layers.LayerNormalization(name="odd_one")).save(folder / "norm.keras")
    older.save_weights(folder / "weights.h5")
    reading = Module(older, lambda x: x + tf.strings.to_number(tf.io.read_file("/etc/hostname")))
    reading.save(folder / "reading")
    python = Module(older, lambda x: tf.ensure_shape(tf.py_function(abs, [x], tf.float32), x.shape))
    python.save(folder / "python")
    named = Module(older)
    named.save(folder / "named", other=named.answer)
    Module(older, shape=(None, 64)).save(folder / "flat")
    (folder / "text.keras").write_text("no network")
    (folder / "nothing").mkdir()
    layer = '"keras.layers", "class_name": "Reshape"'
    foreign = '"marker", "class_name": "Marked"'
    _rewritten(folder / "older.keras", folder / "module.keras", layer, foreign)
    network_of = '"module": "{}", "class_name": "Sequential"'
    root = [network_of.format(module) for module in ("keras", "marker")]
    _rewritten(folder / "older.keras", folder / "root.keras", *root)
    hostile = '{"module": "builtins", "class_name": "function", "config": "eval"}'
    _rewritten(folder / "older.keras", folder / "function.keras", '"relu"', hostile)


def _rewritten(source, to, old, new):
    """The same `.keras` file with another written form."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(to, "w") as other:
        for name in archive.namelist():
            data = archive.read(name)
            changed = data.replace(old.encode(), new.encode()) if name == "config.json" else data
            assert name != "config.json" or changed != data
            other.writestr(name, changed)


def _damaged(folder):
    for name in ("older.keras", "older.h5"):
        whole = (folder / name).read_bytes()
        for part in (1, 2, 3):
            cut = folder / f"cut{part}.{name}"
            cut.write_bytes(whole[: len(whole) * part // 4])
    for name in ("older", "plain"):
        for part in (
            "saved_model.pb",
            "variables/variables.index",
            "variables/variables.data-00000-of-00001",
        ):
            place = folder / f"cut {name} {Path(part).suffix}"
            shutil.copytree(folder / name, place)
            whole = (place / part).read_bytes()
            (place / part).write_bytes(whole[: len(whole) // 2])
    shutil.copytree(folder / "older", folder / "cut metadata")
    whole = (folder / "older" / "keras_metadata.pb").read_bytes()
    (folder / "cut metadata" / "keras_metadata.pb").write_bytes(whole[: len(whole) // 2])


def told(frameworks, path):
    """What opening a file comes to, in JSON's types."""
    try:
        start = open_network(frameworks, path, path.name, {"": SHAPE})
        if isinstance(start, ConvertedGraph):
            answers = start.predict(tf.constant(SPLITS.x_test), lambda: None)
            return {"kind": "graph", "why": start.reason, "difference": _difference(path, answers)}
        made = start(frameworks.keras)
        answers = made(SPLITS.x_test, training=False).numpy()
        return {
            "kind": "network",
            "module": type(made).__module__,
            "difference": _difference(path, answers),
        }
    except ToolchainError as error:
        return {
            name: getattr(error, name) for name in ("kind", "what", "got", "expected", "remedy")
        }
    except Exception as error:  # noqa: BLE001 each is reported
        return {"kind": "exception", "got": repr(error)}


def _difference(path, answers):
    with np.load(path.parent / "answers.npz") as arrays:
        whose = "newer" if path.name.startswith(("newer", "exported")) else "older"
        return float(np.abs(answers - arrays[whose]).max())


def refusals(frameworks, path):
    """What the recipes say that train on a graph."""
    graph = open_network(frameworks, path, path.name, {"": SHAPE})
    found = {}
    for recipe, epochs in (
        (Recipe(name="qat", kind=Kind.INT8_QAT), 0),
        (Recipe(name="f", kind=Kind.FLOAT16), 2),
    ):
        try:
            graph.demand(recipe, epochs)
        except ToolchainError as error:
            found[recipe.name] = [error.got, error.expected, error.remedy]
    graph.demand(Recipe(name="p", kind=Kind.INT8_PTQ), 0)
    return found


def main(folder):
    frameworks = load_frameworks(1)
    make(folder)
    sys.path.insert(0, str(folder))
    (folder / "marker.py").write_text("open(__file__ + '.ran', 'w').close()\n")
    paths = sorted(set(folder.iterdir()) - {folder / "answers.npz", folder / "marker.py"})
    found = {each.name: told(frameworks, each) for each in paths}
    found["trains"] = {name: refusals(frameworks, folder / name) for name in ("plain", "lambda")}
    found["ran"] = (folder / "marker.py.ran").exists()
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Keras 3 networks: translated layer by layer, built with every bit the same, gated end to end."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from litegate.build import process
from litegate.build.toolchain.keras3.supported import SUPPORTED
from litegate.core.errors import BuildError
from litegate.data.digests import array_digest
from litegate.runtimes.inference import outputs
from litegate.spec import DataLocations

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT / "docs" / "how-to" / "keras3.md"
SCRIPT = Path(__file__).with_name("keras3_layers.py")

MODELS = '''
"""Handwritten digits, in Keras 3."""

import numpy as np

import litegate as lg
from litegate.spec.recipes import *

{top}

TRAINING = lg.Training(epochs={epochs}, batch_size=32, seed=7)


def declared(*recipes):
    return lg.model(
        data=lg.datasets.digits(),
        training=TRAINING,
        recipes=[float32(), *recipes],
        budget=lg.Budget(
            accuracy=lg.percent(90),
            accuracy_drop=lg.points(2),
            keras_agreement=lg.percent(99),
            runtime_agreement=lg.percent(98),
            size=lg.kib(16),
            size_ratio=0.7,
        ),
    )


@declared(int8_qat(fine_tune_epochs={tune}, input_type="uint8", output_type="uint8"))
def sequential(tf_keras):
    """Sixteen filters, batch normalization and some dropout."""
    {inside}
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(10),
        ]
    )


@declared(int8_qat(fine_tune_epochs={tune}), int8_ptq(calibration_samples=100))
def functional(tf_keras):
    """A residual block."""
    {inside}
    pixels = keras.Input((8, 8), name="pixels")
    rows = keras.layers.Reshape((8, 8, 1))(pixels)
    one = keras.layers.Conv2D(12, 3, activation="relu")(rows)
    two = keras.layers.Conv2D(12, 3, padding="same", activation="relu")(one)
    both = keras.layers.Add()([one, two])
    pooled = keras.layers.AveragePooling2D(2)(both)
    return keras.Model(pixels, keras.layers.Dense(10)(keras.layers.Flatten()(pooled)))


def plain(keras, first):
    return keras.Sequential(
        [first, keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.Dense(10)]
    )


@declared(int8_qat())
def newer(tf_keras):
    {inside}
    return plain(keras, keras.layers.InputLayer(shape=(8, 8), name="pixels"))


@declared(int8_qat())
def older(tf_keras):
    return plain(tf_keras, tf_keras.layers.InputLayer(input_shape=(8, 8), name="pixels"))


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=0),
    recipes=[float32(), int8_qat()],
    files=["trained.keras"],
)
def trained(tf_keras):
    {inside}
    from pathlib import Path

    return keras.saving.load_model(Path(__file__).with_name("trained.keras"))


def zeros(locations):
    x, y = np.zeros((8, 8, 8), np.float32), np.arange(8)
    return lg.Splits(x_train=x, y_train=y, x_test=x, y_test=y)


def half(samples):
    return samples + np.float32(0.5)


NOTHING = lg.Data(
    name="nothing",
    load=zeros,
    digests={digests},
    preprocess=half,
    domain=(0, 1),
    classes=tuple("abcdefghij"),
)


@lg.model(data=NOTHING, training=lg.Training(epochs=0), recipes=[float32()])
def untrained(tf_keras):
    {inside}
    return plain(keras, keras.layers.InputLayer(shape=(8, 8)))


@declared()
def refused(tf_keras):
    {inside}
    more = [keras.layers.LayerNormalization(name="odd_one"), keras.layers.Dense(10)]
    return keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten(), *more])
'''
IN_FUNCTION = {"top": "", "inside": "import keras"}
AT_TOP = {"top": "import keras", "inside": ""}


def models(*, epochs, tune, imports):
    """The file of models."""
    x, y = np.zeros((8, 8, 8), np.float32), np.arange(8)
    arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    digests = {name: array_digest(array) for name, array in arrays.items()}
    return MODELS.format(epochs=epochs, tune=tune, digests=digests, **imports)


class Project:
    """A project with one file of models, built quickly."""

    def __init__(self, folder, imports):
        self.folder = folder
        self.file = folder / "models" / "digits.py"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(models(epochs=1, tune=1, imports=imports))

    def build(self, model, *recipes):
        """The staging folder of a build in a process of its own."""
        staging = self.folder / "-".join((model, *recipes))
        request = process.Request(
            file=self.file,
            project=self.folder,
            model=model,
            recipes=recipes,
            locations=DataLocations(),
            staging=staging,
        )
        process.build(request, lambda _event: None, 120)
        return staging

    def digests(self, model, *recipes):
        """SHA-256 of each recipe's file."""
        staging = self.build(model, *recipes)
        files = {recipe: staging / recipe / "model.tflite" for recipe in recipes}
        return {r: hashlib.sha256(file.read_bytes()).hexdigest() for r, file in files.items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("keras3"), IN_FUNCTION)


@pytest.fixture(scope="module")
def told():
    """What the script found out, in one process with TensorFlow."""
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_table_is_what_tfmot_quantizes(told):
    """Its registry, and what its transforms take care of; nothing that Keras 3 does not have."""
    transformed = {"BatchNormalization", "InputLayer", "SeparableConv1D", "SeparableConv2D"}
    assert set(SUPPORTED) == set(told["registered"]) | transformed
    assert set(SUPPORTED) <= set(told["layers"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        *SUPPORTED,
        "shared layer",
        "residual",
        "used weights",
        "frozen layer",
        "built later",
        "regularizer",
        "constraint",
        "own initializer",
        "one in a list",
        "MobileNetV2",
    ],
)
def test_layer_is_translated(told, case):
    """Same names, weights, losses and outputs; tf_keras's own classes; tfmot wraps each of them."""
    found = told["supported"][case]
    assert "exception" not in found
    assert found["module"].startswith("tf_keras.")
    for pair in ("kinds", "names", "trainable", "losses"):
        assert found[pair][0] == found[pair][1], pair
    assert found["same weights"]
    assert found["difference"] < 1e-5
    assert "QuantizeWrapperV2" in found["quantized"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "what", "got"),
    [
        ("Lambda", "the layer odd_one of", "Lambda"),
        ("Rescaling", "the layer odd_one of", "Rescaling"),
        ("Multiply", "the layer odd_one of", "Multiply"),
        ("operation", "the layer add", "the operation Add on tensors"),
        ("nested network", "the layer odd_one of", "Sequential"),
        ("subclassed network", "the Keras 3 network odd_one cannot", "Subclassed"),
        ("own layer", "the layer odd_one of", "Dense, a subclass of your own"),
        ("no input", "the Keras 3 network odd_one cannot", "no declared input"),
        ("float16", "the layer odd_one of", "dtype='mixed_float16'"),
        ("own regularizer", "the layer odd_one of", "kernel_regularizer='Shrink'"),
        ("activation that is a layer", "the layer odd_one of", "activation='ReLU'"),
        ("activation of another name", "the layer odd_one of", "squareplus"),
        ("activation of another meaning", "the layer odd_one of", "outputs that differ by up to"),
        ("renorm", "the layer odd_one of", "renorm=True"),
        ("mask", "the layer odd_one of", "a call with 1 arguments, mask="),
        ("lora", "the layer odd_one of", "lora_rank"),
        ("inputs by name", "the Keras 3 network odd_one cannot", "in a dictionary"),
    ],
)
def test_layer_is_refused_by_name(told, case, what, got):
    """What it is, and what to do."""
    found = told["refused"][case]
    assert found["kind"] == "keras3"
    assert found["text"].startswith(what)
    assert f"got: {got}" in found["text"] or got in found["text"].partition("got: ")[2]
    assert "what to do: " in found["text"]


@pytest.mark.slow
def test_networks_that_answer_otherwise_are_told_apart(told):
    """A weight moved by a thousandth, axes in another order, another shape; not its own twin."""
    moved, turned, cut, same = told["differences"]
    assert moved.startswith("outputs that differ by up to 0.0")
    assert turned.startswith("outputs that differ by up to")
    assert cut == "shapes [(4, 3)] and [(4, 4)]"
    assert same is None


@pytest.mark.slow
def test_document_lists_each_layer_of_keras_3(told):
    """The tables in docs/how-to/keras3.md, word for word."""
    others = [name for name in told["layers"] if name not in SUPPORTED]
    written = DOCUMENT.read_text("utf-8")
    assert _listed(SUPPORTED) in written
    assert _listed(others) in written


def test_document_lists_each_supported_layer():
    """The same, without Keras."""
    assert _listed(SUPPORTED) in DOCUMENT.read_text("utf-8")


def _listed(names):
    """Names as the document has them: a line for each first letter."""
    initials = dict.fromkeys(name[0] for name in names)
    lines = ([f"`{name}`" for name in names if name[0] == letter] for letter in initials)
    return "\n".join(f"| {line[0][1]} | {', '.join(line)} |" for line in lines)


def test_file_answers_like_the_network(project):
    """One build without quantization: LiteRT gives what the translated network gave."""
    built = project.build("functional", "float32")
    answers = outputs(
        (built / "float32" / "model.tflite").read_bytes(), np.load(built / "evaluation" / "x.npy")
    )
    kept = np.load(built / "float32" / "keras_outputs.npy")
    assert np.ptp(kept) > 1
    assert np.abs(answers.real - kept).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sequential", "functional"])
def test_same_bytes_wherever_keras_is_imported(project, tmp_path, model):
    """Recipes built together or alone, Keras 3 imported by the file or by the function."""
    recipes = ("float32", "int8_qat")
    together = project.digests(model, *recipes)
    alone = project.digests(model, "int8_qat")
    at_top = Project(tmp_path, AT_TOP).digests(model, *recipes)
    assert together == at_top
    assert alone["int8_qat"] == together["int8_qat"]


@pytest.mark.slow
def test_first_weights_do_not_depend_on_what_the_import_of_keras_draws(project, tmp_path):
    """It draws random numbers where nothing else has imported what it imports."""
    at_top = Project(tmp_path, AT_TOP)
    assert project.digests("untrained", "float32") == at_top.digests("untrained", "float32")


@pytest.mark.slow
def test_file_is_as_large_as_that_of_the_tf_keras_network(project):
    """Nothing of Keras 3 is left in it."""
    recipes = ("float32", "int8_qat")
    builds = [project.build(model, *recipes) for model in ("newer", "older")]
    new, old = ([len((b / r / "model.tflite").read_bytes()) for r in recipes] for b in builds)
    assert new == old


SAVE = """
import sys
import keras, numpy

network = keras.Sequential(
    [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
)
network.layers[1].bias.assign(numpy.arange(10) / 10)
network.save(sys.argv[1])
numpy.save(sys.argv[2], network(numpy.load(sys.argv[3])))
"""


@pytest.mark.slow
def test_network_out_of_a_file_keeps_its_weights(project, tmp_path):
    """No epochs: the network that is converted answers like the one that was saved."""
    samples = project.build("newer", "float32") / "evaluation" / "x.npy"
    saved = project.file.with_name("trained.keras")
    paths = (saved, tmp_path / "answers.npy", samples)
    env = os.environ | {"KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", SAVE, *paths], check=True, env=env)
    built = project.build("trained", "float32", "int8_qat")
    answers, kept = np.load(paths[1]), np.load(built / "float32" / "keras_outputs.npy")
    assert np.abs(answers - kept).max() < 1e-6
    assert json.loads((built / "float32" / "history.json").read_text()) == []
    assert json.loads((built / "int8_qat" / "history.json").read_text())[0]["epoch"] == 1


@pytest.mark.slow
def test_refused_layer_stops_the_build(project):
    """The layer is named to whoever started it."""
    with pytest.raises(BuildError) as caught:
        project.build("refused", "float32")
    assert "(train): the layer odd_one of the Keras 3 network cannot" in caught.value.what
    assert caught.value.got == "LayerNormalization"
    assert "tf_keras" in caught.value.remedy


@pytest.mark.slow
def test_keras_3_networks_are_gated(gate, tmp_path):
    """Sequential and functional: trained, quantized, converted and judged by the real checks."""
    root = tmp_path / "project"
    (root / "models").mkdir(parents=True)
    text = models(epochs=20, tune=5, imports=IN_FUNCTION)
    (root / "models" / "digits.py").write_text(text.partition("def plain")[0])
    shutil.copytree(PROJECT / "checks", root / "checks", ignore=shutil.ignore_patterns("__*"))
    done = gate("-m", "not latency", cwd=root, store=tmp_path / "store")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(gate.report.read_text("utf-8"))
    rows = [(f"{row['model']}/{row['recipe']}", row["measurement"]) for row in report["verdicts"]]
    for subject in ("sequential/int8_qat", "functional/int8_qat", "functional/int8_ptq"):
        for measurement in ("accuracy", "accuracy drop", "agreement with Keras", "size ratio"):
            assert (subject, measurement) in rows
    assert {row["verdict"] for row in report["verdicts"]} <= {"pass", "inconclusive"}
    born = report["artifacts"][report["verdicts"][0]["artifacts"][0]]
    assert born["versions"]["keras"] == "3.15.1"

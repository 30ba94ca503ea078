"""The real tool chain: TensorFlow trains, quantizes and converts small networks in a child."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from litegate import child
from litegate.errors import BuildError, ConfigError, DataUnavailable, LitegateError
from litegate.flatbuffer import parse
from litegate.runtime import outputs
from litegate.spec import DataLocations

pytestmark = pytest.mark.slow

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
from litegate.recipes import *


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


@declared(recipes=[int8_qat()])
def unsupported(keras):
    return layers(keras, keras.layers.LayerNormalization(name="odd_one"))


@declared(recipes=[int8_qat()])
def left_float(keras):
    return layers(keras, keras.layers.Lambda(lambda x: x * 2, name="odd_one"))


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

    def request(self, model: str, *recipes: str, **places: Path) -> child.Request:
        self._runs += 1
        return child.Request(
            file=self.file,
            project=self.folder,
            model=model,
            recipes=recipes,
            locations=DataLocations(**places),
            staging=self.folder / f"staging{self._runs}",
        )

    def build(self, model: str, *recipes: str, events: list[child.Event] | None = None) -> Path:
        request = self.request(model, *recipes)
        hear: Callable[[child.Event], None] = events.append if events is not None else _ignore
        child.build(request, hear, 120)
        return request.staging

    def error(self, model: str, recipe: str = "float32", timeout: float = 120) -> LitegateError:
        request = self.request(model, recipe)
        with pytest.raises(LitegateError) as caught:
            child.build(request, _ignore, timeout)
        assert not list(request.staging.glob("*/model.tflite"))
        return caught.value


def _ignore(_event: child.Event) -> None:
    pass


def digests(staging: Path, *recipes: str) -> dict[str, str]:
    """SHA-256 of each recipe's file and of its network's outputs."""
    return {
        f"{recipe}/{name}": hashlib.sha256((staging / recipe / name).read_bytes()).hexdigest()
        for recipe in recipes
        for name in ("model.tflite", "keras_outputs.npy", "history.json")
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def told() -> list[child.Event]:
    return []


@pytest.fixture(scope="module")
def together(project: Project, told: list[child.Event]) -> Path:
    """The staging folder of one run that built every recipe of `small`."""
    return project.build("small", *ALL, events=told)


def test_every_recipe_gives_its_four_files(together: Path) -> None:
    """A file that LiteRT runs, the network's outputs, a history and a certificate."""
    x = np.load(together / "evaluation" / "x.npy")
    for recipe in ALL:
        answers = outputs((together / recipe / "model.tflite").read_bytes(), x)
        kept = np.load(together / recipe / "keras_outputs.npy")
        assert kept.dtype == np.float32
        assert answers.real.shape == kept.shape == (360, 10)
        agreement = (answers.real.argmax(1) == kept.argmax(1)).mean()
        assert agreement > 0.95, recipe


def test_evaluation_split_is_what_the_networks_are_fed(together: Path) -> None:
    """Preprocessed samples and integer labels, as long as each other."""
    x, y = (np.load(together / "evaluation" / f"{name}.npy") for name in "xy")
    assert (x.shape, x.dtype, y.shape) == ((360, 8, 8), np.float32, (360,))
    assert (x.min(), x.max()) == (0, 1)
    assert np.issubdtype(y.dtype, np.integer)


@pytest.mark.parametrize(
    ("recipe", "input_type", "output_type"),
    [
        ("float32", "float32", "float32"),
        ("int8_qat", "float32", "float32"),
        ("uint8_qat", "uint8", "int8"),
        ("uint8_ptq", "uint8", "uint8"),
        ("int16x8", "float32", "float32"),
    ],
)
def test_inputs_and_outputs_have_the_declared_types(
    together: Path, recipe: str, input_type: str, output_type: str
) -> None:
    """What the recipe declares is what the file has."""
    from litegate.interpreter import Runner

    runner = Runner((together / recipe / "model.tflite").read_bytes())
    assert (runner.input.dtype, runner.output.dtype) == (input_type, output_type)


def test_recipes_give_files_of_different_sizes(together: Path) -> None:
    """What quantizes all of the network is smaller; more float training changes no size."""
    size = {recipe: (together / recipe / "model.tflite").stat().st_size for recipe in ALL}
    assert size["float32"] == size["float32+1"]
    for recipe in set(ALL) - {"float32", "float32+1", "annotated"}:
        assert size[recipe] < size["float32"], recipe


def test_histories_say_stage_and_epoch(together: Path) -> None:
    """Fine-tuning goes on where training ended; from scratch there is training alone."""

    def rows(recipe: str) -> list[tuple[str, int]]:
        read_rows = json.loads((together / recipe / "history.json").read_text())
        return [(row["stage"], row["epoch"]) for row in read_rows]

    trained = [("train", 1), ("train", 2)]
    assert rows("float32") == rows("int8_ptq") == rows("int8_qat_scratch") == trained
    assert rows("float32+1") == rows("int8_qat") == [*trained, ("fine-tune", 3)]


def test_validation_figures_are_those_of_the_outputs(together: Path) -> None:
    """The last row's accuracy and loss are what the kept outputs give, to rounding."""
    y = np.load(together / "evaluation" / "y.npy").astype(int)
    for recipe in ("float32", "float32+1", "int8_qat"):
        row = json.loads((together / recipe / "history.json").read_text())[-1]
        answers = np.load(together / recipe / "keras_outputs.npy").astype(np.float64)
        assert row["val_accuracy"] == pytest.approx((answers.argmax(1) == y).mean())
        likely = answers - np.log(np.exp(answers).sum(1, keepdims=True))
        assert row["val_loss"] == pytest.approx(-likely[np.arange(len(y)), y].mean(), rel=1e-5)


def test_certificate_names_everything_that_made_the_file(together: Path) -> None:
    """Versions, processor, training, recipe, seed, threads, flags and seconds."""
    found = json.loads((together / "int8_qat" / "certificate.json").read_text())
    assert set(found["versions"]) == {
        "tensorflow",
        "tf-keras",
        "tensorflow-model-optimization",
        "keras",
        "numpy",
    }
    assert all(found["versions"].values())
    assert found["processor"]
    assert found["python"].startswith("3.")
    assert found["training"]["epochs"] == 2
    assert found["recipe"]["kind"] == "int8_qat"
    assert (found["seed"], found["threads"], found["onednn"]) == (7, 1, True)
    assert found["environment"]["TF_USE_LEGACY_KERAS"] == "1"
    assert {"train", "quantize", "fine-tune", "evaluate", "convert"} <= set(found["seconds"])


@pytest.mark.parametrize(
    ("recipe", "types"),
    [
        ("float32", {"float32"}),
        ("float32+1", {"float32"}),
        ("int8_qat", {"int8"}),
        ("int8_qat_scratch", {"int8"}),
        ("annotated", {"int8", "float32"}),
        ("custom", {"int8"}),
        ("int8_ptq", {"int8"}),
        ("float16", {"float16"}),
        ("int16x8", {"int8"}),
        # The converter leaves weights of fewer than 1024 elements as they are.
        ("dynamic_range", {"int8", "float32"}),
    ],
)
def test_weights_have_the_types_of_their_recipe(
    together: Path, recipe: str, types: set[str]
) -> None:
    """The kernels of the convolution and of the dense layer, told by their size."""
    main = parse((together / recipe / "model.tflite").read_bytes()).main
    assert {tensor.dtype for tensor in main.tensors if tensor.nbytes > 128} == types


def test_stages_and_progress_are_told(together: Path, told: list[child.Event]) -> None:
    """Every recipe's stages in their order; each epoch's end with its figures."""
    assert together.is_dir()
    stages = [(e.recipe, e.stage) for e in told if isinstance(e, child.Stage)]
    assert stages[:5] == [
        ("", "data"),
        ("float32", "train"),
        ("float32", "evaluate"),
        ("float32", "convert"),
        ("float32+1", "convert"),
    ]
    aware = [stage for recipe, stage in stages if recipe == "int8_qat"]
    assert aware == ["quantize", "fine-tune", "evaluate", "convert"]
    ends = [e for e in told if isinstance(e, child.Progress) and e.step == e.steps == 45]
    assert [(e.epoch, e.epochs) for e in ends if e.recipe == "float32"] == [(1, 2), (2, 2)]
    assert [(e.epoch, e.epochs) for e in ends if e.recipe == "int8_qat"] == [(3, 3)]
    assert all(0 < e.loss < 5 and 0 < e.accuracy <= 1 and e.eta >= 0 for e in ends)
    assert [e.recipe for e in told if isinstance(e, child.Ready)] == list(ALL)


def test_only_the_shared_training_concerns_all(together: Path, told: list[child.Event]) -> None:
    """The float network's training is everyone's; a recipe's own stages are its own."""
    assert together.is_dir()
    stages = [e for e in told if isinstance(e, child.Stage)]
    shared = {(e.recipe, e.stage) for e in stages if e.shared}
    assert shared == {("", "data"), ("float32", "train"), ("float32", "evaluate")}
    assert any(e.recipe == "int8_qat_scratch" and e.stage == "train" for e in stages)


def test_same_bytes_in_any_order(project: Project, together: Path) -> None:
    """Every recipe reversed: the same files, outputs and histories."""
    reversed_run = project.build("small", *reversed(ALL))
    assert digests(reversed_run, *ALL) == digests(together, *ALL)


@pytest.mark.parametrize("recipe", ["int8_qat", "int8_qat_scratch", "float32+1", "int8_ptq"])
def test_same_bytes_alone(project: Project, together: Path, recipe: str) -> None:
    """A recipe built alone gives what it gives among the others."""
    assert digests(project.build("small", recipe), recipe) == digests(together, recipe)


def test_same_bytes_with_random_layers(project: Project) -> None:
    """Dropout and batch normalization: two runs and two orders give the same files."""
    names = ("float32+1", "int8_qat_scratch", "int8_qat")
    one = project.build("random_layers", *names)
    other = project.build("random_layers", *reversed(names))
    assert digests(one, *names) == digests(other, *names)


def test_training_is_that_of_keras_fit(project: Project, together: Path, tmp_path: Path) -> None:
    """Keras's own `fit` on the same batches gives the same losses, outputs and file."""
    subprocess.run(
        [sys.executable, "-c", PLAIN, str(project.file), str(tmp_path)],
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
from litegate.datasets import prepare
from litegate.discovery import load_file
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


def test_builder_may_compile_its_network(project: Project, together: Path) -> None:
    """The training's own optimizer and loss are used in any case."""
    built = project.build("compiled_already", "float32")
    assert digests(built, "float32") == digests(together, "float32")


def test_fine_tuning_has_its_own_rate(project: Project) -> None:
    """A rate of zero, which is not the same as none, leaves the control's weights as they were."""
    built = project.build("stands_still", "float32", "float32+1")
    before, after = ((built / name / "model.tflite").read_bytes() for name in ALL[:2])
    assert before == after


def test_quantizing_without_fine_tuning(project: Project) -> None:
    """No extra epoch: the history is the float network's, the outputs are not."""
    built = project.build("stands_still", "float32", "untuned")
    float32, untuned = (built / name for name in ("float32", "untuned"))
    history = (untuned / "history.json").read_text()
    assert history == (float32 / "history.json").read_text()
    kept = (np.load(each / "keras_outputs.npy") for each in (float32, untuned))
    assert not np.array_equal(*kept)


def test_prints_of_user_code_do_not_reach_the_protocol(project: Project) -> None:
    """Whatever the builder writes to stdout ends in the log; its stdin is empty."""
    staging = project.build("talks", "float32")
    assert "noise without an end" in (staging / child.LOG).read_text()


def test_loss_that_is_not_finite(project: Project) -> None:
    """Epoch and step are named, and what may help."""
    error = project.error("explodes")
    assert "explodes/float32 could not be built, stage train: the loss is" in error.what
    assert "epoch 1 of 3" in error.what
    assert "learning_rate" in error.remedy


@pytest.mark.parametrize("model", ["unsupported", "left_float"])
def test_layer_that_cannot_be_quantized(project: Project, model: str) -> None:
    """It is named, never left float in silence; the float recipes are not concerned."""
    error = project.error(model, "int8_qat")
    assert isinstance(error, BuildError)
    assert "stage quantize: tfmot cannot quantize the layer odd_one" in error.what
    assert "annotate" in error.remedy
    assert (error.recipe, error.shared) == ("int8_qat", False)


def test_annotation_that_loses_the_weights(project: Project) -> None:
    """A clone_function that makes new layers is refused."""
    error = project.error("forgets", "int8_qat")
    assert "does not answer like the float network" in error.what
    assert "clone_function" in error.remedy


@pytest.mark.parametrize(
    ("model", "what", "got"),
    [
        ("no_network", "the builder gave no network", "NoneType"),
        ("other_shape", "does not take the data set's samples", "(8, 8, 1)"),
        ("moody", "another network each time", "weights"),
        ("no_shape", "does not take the data set's samples", "no declared input"),
    ],
)
def test_network_that_cannot_be_used(project: Project, model: str, what: str, got: str) -> None:
    """What the builder gave is told, and what it should give."""
    error = project.error(model)
    assert what in error.what
    assert got in error.got
    assert error.remedy


def test_exception_in_the_builder_gives_the_users_line(project: Project) -> None:
    """The innermost line of the user's own file, the exception's type and text."""
    error = project.error("raises")
    line = project.line("# raised here")
    assert error.got == f"ValueError: no such layer here at {project.file}:{line}"
    assert error.remedy == f"correct models.py, line {line}"


def test_builder_that_exits(project: Project) -> None:
    """`sys.exit` in a builder is an error like any other."""
    assert "SystemExit: 3" in project.error("exits").got


def test_builder_out_of_memory(project: Project) -> None:
    """A MemoryError says what to make smaller."""
    error = project.error("out_of_memory")
    assert "out of memory" in error.what
    assert "batch_size" in error.remedy


def test_builder_that_is_killed(project: Project) -> None:
    """SIGKILL from elsewhere: signal, stage and remedy are named."""
    error = project.error("is_killed")
    assert "stage train: the tool chain was killed by SIGKILL" in error.what
    assert "out of memory" in error.remedy


def test_builder_that_hangs(project: Project) -> None:
    """An endless loop is found although the child could go on talking, and its line is named."""
    error = project.error("hangs", timeout=20)
    assert "no sign of life for 20 s" in error.what
    assert error.got.rpartition(":")[0] == f"it is at {project.file}"
    assert abs(int(error.got.rpartition(":")[2]) - project.line("# hangs here")) <= 1


@pytest.mark.parametrize("model", ["misspelt_optimizer", "misspelt_loss"])
def test_misspelt_training(project: Project, model: str) -> None:
    """The wrong name and the allowed ones are told."""
    error = project.error(model)
    assert isinstance(error, ConfigError)
    assert "is no Keras" in error.what
    assert "adam" in error.expected or "sparsecategoricalcrossentropy" in error.expected


@pytest.mark.parametrize(("model", "recipe"), [("smal", "float32"), ("small", "int8")])
def test_misspelt_model_or_recipe(project: Project, model: str, recipe: str) -> None:
    """The known names are listed; TensorFlow is not imported for it."""
    error = project.error(model, recipe)
    assert isinstance(error, ConfigError)
    assert "small" in error.expected or "int8_qat" in error.expected


def test_missing_data_is_told_before_tensorflow_is_imported(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A poisoned TensorFlow is never touched where there is no data."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(_poison(tmp_path))
    error = project.error("without_data")
    assert isinstance(error, DataUnavailable)
    assert "stage data" in error.what


def _poison(folder: Path) -> Path:
    package = folder / "poison" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('poisoned')")
    return package.parent


@pytest.mark.parametrize("version", ["2.20.0", ""])
def test_other_versions_are_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    """A tool chain of another version, or none at all: expected, got and how to install it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "real = m.version\n"
        "def version(name):\n"
        "    if name.startswith('tensorflow') and 'model' not in name:\n"
        f"        if not {version!r}: raise m.PackageNotFoundError(name)\n"
        f"        return {version!r}\n"
        "    return real(name)\n"
        "m.version = version\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    error = project.error("small")
    assert error.expected == "tensorflow 2.21.0"
    assert error.got == f"tensorflow {version or 'not installed'}"
    assert error.remedy == 'pip install "litegate[train]"'


def test_child_ends_with_a_killed_parent(project: Project) -> None:
    """SIGKILL to the parent while the builder loops: the child sees the end of its stdin."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(project.file), str(project.folder / "orphan")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    while "train" not in parent.stdout.readline():
        pass
    orphan = _only_child(parent.pid)
    parent.kill()
    parent.communicate(timeout=20)
    assert _is_gone(orphan)


PARENT = """
import sys
from pathlib import Path
from litegate import child
from litegate.spec import DataLocations
file, staging = map(Path, sys.argv[1:])
request = child.Request(file=file, project=file.parent.parent, model="hangs",
                        recipes=("float32",), locations=DataLocations(), staging=staging)
child.build(request, lambda event: print(event.stage, flush=True), 600)
"""


def _only_child(pid: int) -> int:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(listed) == 1
    return int(listed[0])


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


def test_mnist_network_has_the_known_sizes(project: Project) -> None:
    """The example's network: 84,848 bytes as float, 25,144 quantization-aware."""
    directory = os.environ.get("LITEGATE_DATA", "")
    if not directory:
        pytest.skip("LITEGATE_DATA names no folder with mnist.npz")
    file = project.folder / "models" / "mnist.py"
    file.write_text(MNIST)
    request = child.Request(
        file=file,
        project=project.folder,
        model="mnist_cnn",
        recipes=("float32", "int8_qat"),
        locations=DataLocations(directory=Path(directory)),
        staging=project.folder / "mnist",
    )
    child.build(request, _ignore, 300)
    sizes = [(request.staging / r / "model.tflite").stat().st_size for r in request.recipes]
    assert sizes == [84_848, 25_144]


MNIST = """
import litegate as lg

@lg.model(data=lg.datasets.mnist(), recipes=[lg.recipes.float32(), lg.recipes.int8_qat()])
def mnist_cnn(keras):
    return keras.Sequential([
        keras.layers.InputLayer(input_shape=(28, 28)),
        keras.layers.Reshape((28, 28, 1)),
        keras.layers.Conv2D(12, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ])
"""

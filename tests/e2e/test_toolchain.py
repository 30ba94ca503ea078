"""The real tool chain: TensorFlow trains, quantizes and converts small networks in a child."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from toolchain_projects import ALL, Project, digests, ignore

from litegate.build import process
from litegate.measures.structure.operators import operator_breaches
from litegate.measures.structure.tensors import tensor_breaches
from litegate.runtimes.inference import outputs
from litegate.runtimes.litert import Runner
from litegate.spec import DataLocations, Kind, Recipe
from litegate.tflite.parser import parse
from litegate.tflite.variables import variables

pytestmark = pytest.mark.slow


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


def test_stages_and_progress_are_told(together: Path, told: list[process.Event]) -> None:
    """Every recipe's stages in their order; each epoch's end with its figures."""
    assert together.is_dir()
    stages = [(e.recipe, e.stage) for e in told if isinstance(e, process.Stage)]
    checked = [stage for stage in stages if stage[1] == "check layers"]
    assert ("int8_qat", "check layers") in checked
    assert ("int8_qat_scratch", "check layers") not in checked  # quantized before any training
    assert stages[: len(checked) + 6] == [
        ("", "data"),
        ("float32", "load"),
        *checked,
        ("float32", "train"),
        ("float32", "evaluate"),
        ("float32", "convert"),
        ("float32+1", "convert"),
    ]
    aware = [stage for recipe, stage in stages if recipe == "int8_qat"]
    assert aware == ["check layers", "quantize", "fine-tune", "evaluate", "convert"]
    ends = [e for e in told if isinstance(e, process.Progress) and e.step == e.steps == 45]
    assert [(e.epoch, e.epochs) for e in ends if e.recipe == "float32"] == [(1, 2), (2, 2)]
    assert [(e.epoch, e.epochs) for e in ends if e.recipe == "int8_qat"] == [(3, 3)]
    assert all(0 < e.loss < 5 and 0 < e.accuracy <= 1 and e.eta >= 0 for e in ends)
    assert [e.recipe for e in told if isinstance(e, process.Ready)] == list(ALL)


def test_only_the_shared_training_concerns_all(together: Path, told: list[process.Event]) -> None:
    """The float network's training is everyone's; a recipe's own stages are its own."""
    assert together.is_dir()
    stages = [e for e in told if isinstance(e, process.Stage)]
    shared = {(e.recipe, e.stage) for e in stages if e.shared}
    own = {("float32", stage) for stage in ("load", "train", "evaluate")}
    assert shared == {("", "data"), *own}
    assert any(e.recipe == "int8_qat_scratch" and e.stage == "train" for e in stages)


def test_builder_may_compile_its_network(networks: Project, together: Path) -> None:
    """The training's own optimizer and loss are used in any case."""
    built = networks.build("compiled_already", "float32")
    assert digests(built, "float32") == digests(together, "float32")


def test_recurrent_layers_get_a_batch_of_one(networks: Project) -> None:
    """TensorFlow converts none with a free batch; the certificate says so.

    Their state is in variable tensors, and every recipe's rules apply to them.
    """
    recipes = ("float32", "dynamic_range", "int8_ptq")
    built = networks.build("remembers", *recipes)
    x = np.load(built / "evaluation" / "x.npy")
    for recipe in recipes:
        tflite = (built / recipe / "model.tflite").read_bytes()
        runner = Runner(tflite)
        assert (list(runner.inputs), runner.input.shape) == (["strokes"], (1, 8, 8))
        kept = np.load(built / recipe / "keras_outputs.npy")
        assert np.abs(outputs(tflite, x).real - kept).max() < (
            0.3 if recipe == "int8_ptq" else 1e-4
        )
        graph, kind = parse(tflite), Recipe(name=recipe, kind=Kind(recipe))
        assert tensor_breaches(graph, kind) == operator_breaches(graph, kind) == ()
        assert [op.name for _, op in variables(graph)[0].readers] == [
            "UNIDIRECTIONAL_SEQUENCE_LSTM"
        ]
        assert json.loads((built / recipe / "certificate.json").read_text())["batch"] == 1


def test_an_unrolled_recurrent_layer_is_quantized(networks: Project) -> None:
    """It has no loop and no state, and keeps a free batch."""
    built = networks.build("unrolled", "float32", "int8_ptq")
    x = np.load(built / "evaluation" / "x.npy")
    tflite = (built / "int8_ptq" / "model.tflite").read_bytes()
    runner = Runner(tflite)
    assert (runner.takes_batches, runner.is_stateful) == (True, False)
    kept = np.load(built / "int8_ptq" / "keras_outputs.npy")
    assert np.abs(outputs(tflite, x).real - kept).max() < 0.3


def test_a_separable_convolution_beside_a_named_one_is_quantized(networks: Project) -> None:
    """The layers that tfmot replaces it by are unnamed: their names must not be those of others."""
    built = networks.build("separated", "int8_qat")
    graph = parse((built / "int8_qat" / "model.tflite").read_bytes())
    names = [operator.name for operator in graph.main.operators]
    assert [name for name in names if "CONV" in name] == [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
    ]
    assert tensor_breaches(graph, Recipe(name="int8_qat", kind=Kind.INT8_QAT)) == ()


def test_fine_tuning_has_its_own_rate(networks: Project) -> None:
    """A rate of zero, which is not the same as none, leaves the control's weights as they were."""
    built = networks.build("stands_still", "float32", "float32+1")
    before, after = ((built / name / "model.tflite").read_bytes() for name in ALL[:2])
    assert before == after


def test_quantizing_without_fine_tuning(networks: Project) -> None:
    """No extra epoch: the history is the float network's, the outputs are not."""
    built = networks.build("stands_still", "float32", "untuned")
    float32, untuned = (built / name for name in ("float32", "untuned"))
    history = (untuned / "history.json").read_text()
    assert history == (float32 / "history.json").read_text()
    kept = (np.load(each / "keras_outputs.npy") for each in (float32, untuned))
    assert not np.array_equal(*kept)


def test_mnist_network_has_the_known_sizes(networks: Project) -> None:
    """The example's network: 84,848 bytes as float, 25,144 quantization-aware."""
    directory = os.environ.get("LITEGATE_DATA", "")
    if not directory:
        pytest.skip("LITEGATE_DATA names no folder with mnist.npz")
    file = networks.folder / "models" / "mnist.py"
    file.write_text(MNIST)
    request = process.Request(
        file=file,
        project=networks.folder,
        model="mnist_cnn",
        recipes=("float32", "int8_qat"),
        locations=DataLocations(directory=Path(directory)),
        staging=networks.folder / "mnist",
    )
    process.build(request, ignore, 300)
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

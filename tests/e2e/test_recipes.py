"""Partial, pruned, clustered and custom quantization: real trainings, and what the files hold."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from litegate import byte, percent
from litegate.build import process
from litegate.core.errors import ConfigError
from litegate.measures.measurement import Outcome
from litegate.measures.structure.size import compressed_size
from litegate.measures.structure.tensors import operator_violations, tensor_violations
from litegate.measures.structure.weights import layer_weights, sparsity, unique_weights
from litegate.runtimes.inference import outputs
from litegate.spec import Artifact, DataLocations, Evaluation, Model
from litegate.spec.loader import load_file
from litegate.testing import artifact

pytestmark = pytest.mark.slow

MODELS = """
import functools

import litegate as lg
from litegate.spec.recipes import *

PRUNING = lg.Pruning(sparsity=lg.percent(60), epochs=2)
CLUSTERING = lg.Clustering(clusters=16, epochs=1)


@functools.cache
def configs():
    import tensorflow_model_optimization as tfmot

    quantizers = tfmot.quantization.keras.quantizers
    weights = {"num_bits": 4, "symmetric": True, "narrow_range": True, "per_axis": False}
    activations = {"num_bits": 8, "symmetric": False, "narrow_range": False, "per_axis": False}

    class FourBits(tfmot.quantization.keras.QuantizeConfig):
        def get_weights_and_quantizers(self, layer):
            return [(layer.kernel, quantizers.LastValueQuantizer(**weights))]

        def get_activations_and_quantizers(self, layer):
            return [(layer.activation, quantizers.MovingAverageQuantizer(**activations))]

        def set_quantize_weights(self, layer, quantize_weights):
            layer.kernel = quantize_weights[0]

        def set_quantize_activations(self, layer, quantize_activations):
            layer.activation = quantize_activations[0]

        def get_output_quantizers(self, layer):
            return []

        def get_config(self):
            return {}

    return {"FourBits": FourBits}


def annotated(network, tfmot, config=None, left=()):
    import tf_keras

    quantize = tfmot.quantization.keras.quantize_annotate_layer

    def one(layer):
        if layer.name in left:
            return layer
        return quantize(layer, config if layer.name == "hidden" else None)

    return tf_keras.models.clone_model(network, clone_function=one)


def four_bits(network, tfmot):
    return annotated(network, tfmot, configs()["FourBits"]())


def without_logits(network, tfmot):
    return annotated(network, tfmot, left=["logits"])


@lg.model(
    data=lg.datasets.digits(),
    training=lg.Training(epochs=6),
    recipes=[
        int8_qat(),
        int8_qat(pruning=PRUNING),
        int8_qat(clustering=CLUSTERING),
        int8_qat(pruning=PRUNING, clustering=CLUSTERING),
        int8_qat(name="float_logits", float_layers=["logits"]),
        int8_qat(name="by_hand", annotate=without_logits, float_layers=["logits"]),
        int8_qat(name="between", float_layers=["hidden"]),
        int8_qat(name="pruned_part", float_layers=["logits"], pruning=PRUNING),
        int8_qat(name="four_bits", annotate=four_bits, custom_objects=configs),
        int8_qat(name="misspelt", float_layers=["logit"]),
        int8_qat(name="both", annotate=without_logits, float_layers=["hidden"]),
    ],
)
def small(keras):
    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=(8, 8)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, use_bias=False, name="first"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu", name="hidden"),
            keras.layers.Dense(10, name="logits"),
        ]
    )
"""
PARTIAL = ("float_logits", "by_hand", "between")
COMPRESSED = ("int8_pqat", "int8_cqat", "int8_pcqat", "pruned_part")
BUILT = ("float32", "float32+4", "int8_qat", *COMPRESSED, *PARTIAL, "four_bits")


class Project:
    """A project of one model, and the tool chain."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "models" / "small.py"
        self.file.parent.mkdir()
        self.file.write_text(MODELS)
        self.folder = folder

    @property
    def model(self) -> Model:
        return load_file(self.file, self.folder)["small"]

    def build(self, staging: str, *recipes: str) -> Path:
        request = process.Request(
            file=self.file,
            project=self.folder,
            model="small",
            recipes=recipes,
            locations=DataLocations(),
            staging=self.folder / staging,
        )
        process.build(request, lambda _: None, 600)
        return request.staging


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="module")
def built(project: Project) -> Path:
    return project.build("all", *BUILT)


@pytest.fixture
def made(project: Project, built: Path) -> dict[str, Artifact]:
    """What was built, as the checks are handed it."""
    kept = built / "evaluation"
    split = Evaluation(
        digest="digits",
        x=np.load(kept / "x.npy"),
        y=np.load(kept / "y.npy"),
        classes=tuple("0123456789"),
        domain=(0.0, 1.0),
    )

    def one(name: str) -> Artifact:
        bare = artifact((built / name / "model.tflite").read_bytes(), split=split)
        return replace(bare, recipe=project.model.recipe(name))

    return {name: one(name) for name in BUILT}


def accuracy(one: Artifact) -> float:
    answers = outputs(one.tflite, one.evaluation.x).real
    return float((answers.argmax(1) == one.evaluation.y).mean())


def broken(one: Artifact) -> tuple[str, ...]:
    return tensor_violations(one).offenders + operator_violations(one).offenders


def declared(one: Artifact, *layers: str) -> Artifact:
    return replace(one, recipe=replace(one.recipe, float_layers=layers))


def test_pruned_weights_are_zero_in_the_file(made: dict[str, Artifact]) -> None:
    """Each layer as the schedule leaves it, to the rounding of one weight."""
    for name in ("int8_pqat", "int8_pcqat"):
        for layer in layer_weights(made[name]):
            assert layer.sparsity >= percent(60).value - 1 / layer.size
        assert (sparsity(made[name]) >= percent(59)).outcome is Outcome.PASS
    assert (sparsity(made["int8_qat"]) >= percent(59)).outcome is Outcome.FAIL


def test_clustered_weights_are_alike_in_the_file(made: dict[str, Artifact]) -> None:
    """At most as many values as there are clusters share a scale, channel by channel too."""
    for name in ("int8_cqat", "int8_pcqat"):
        assert (unique_weights(made[name]) <= 16).outcome is Outcome.PASS
    assert (unique_weights(made["int8_qat"]) <= 16).outcome is Outcome.FAIL


def test_the_gain_shows_in_the_compressed_size(made: dict[str, Artifact]) -> None:
    """The file itself is as long; what is sent shrinks, most where both were done."""
    assert len({len(made[name].tflite) for name in ("int8_qat", *COMPRESSED[:3])}) == 1
    sent = {name: compressed_size(made[name]) for name in ("int8_qat", *COMPRESSED)}
    plain = len(zlib.compress(made["int8_qat"].tflite, 9))
    for name in ("int8_pqat", "int8_cqat"):
        assert (sent[name] <= byte(int(0.8 * plain))).outcome is Outcome.PASS
        assert sent["int8_pcqat"].value < sent[name].value


def test_nothing_else_is_lost(made: dict[str, Artifact]) -> None:
    """Every promise of an int8 file holds, and the files still know the digits."""
    for name in ("int8_qat", *COMPRESSED):
        assert broken(made[name]) == ()
        assert accuracy(made[name]) > 0.85


def test_a_float_reference_is_trained_as_long(project: Project, built: Path) -> None:
    """Pruning, clustering and fine-tuning count; the rows say what was done in which epoch."""
    recipe = project.model.recipe("int8_pcqat")
    assert recipe.reference.name == "float32+4"

    def rows(name: str) -> list[tuple[str, int]]:
        found = json.loads((built / name / "history.json").read_text())
        return [(row["stage"], row["epoch"]) for row in found[6:]]

    assert rows("float32+4") == [("fine-tune", epoch) for epoch in (7, 8, 9, 10)]
    assert rows("int8_pcqat") == [("prune", 7), ("prune", 8), ("cluster", 9), ("fine-tune", 10)]


def test_a_last_layer_stays_float_where_it_is_declared(made: dict[str, Artifact]) -> None:
    """The same file, whether the layer is left out by name or by an annotation of one's own."""
    assert broken(made["float_logits"]) == ()
    assert made["float_logits"].tflite == made["by_hand"].tflite
    assert any("computes in floats" in one for one in broken(declared(made["float_logits"])))
    assert any("computes in integers" in one for one in broken(declared(made["int8_qat"], "first")))


def test_a_layer_between_quantized_ones_is_told_to_be_integer(made: dict[str, Artifact]) -> None:
    """The converter quantizes it all the same: the declaration is not what the file holds."""
    found = broken(made["between"])
    assert any("FULLY_CONNECTED v4 computes in integers" in one for one in found)
    assert broken(declared(made["between"])) == ()


def test_a_float_layer_is_not_pruned(made: dict[str, Artifact]) -> None:
    """What is left float is left as it was, and is not counted."""
    assert broken(made["pruned_part"]) == ()
    assert len(layer_weights(made["pruned_part"])) == 2
    assert len(layer_weights(declared(made["pruned_part"]))) == 3
    assert (sparsity(made["pruned_part"]) >= percent(59)).outcome is Outcome.PASS


def test_a_quantize_config_of_ones_own_is_what_the_file_holds(made: dict[str, Artifact]) -> None:
    """Weights of four bits in one layer: smaller, still right, and not the int8 of the promise."""
    four = made["four_bits"]
    unique = [layer_weights(one)[1].unique for one in (made["int8_qat"], four)]
    assert unique[0] > 100
    assert unique[1] <= 15
    assert len(four.tflite) < len(made["int8_qat"].tflite) - 2000
    assert accuracy(four) > 0.85
    (found,) = broken(four)
    assert "weight of operator 8 FULLY_CONNECTED v10, is int4; expected int8" in found


def test_a_layer_that_does_not_exist_is_refused(project: Project) -> None:
    """With the names of those that do."""
    with pytest.raises(ConfigError, match="logit") as raised:
        project.build("misspelt", "misspelt")
    assert "hidden, logits" in raised.value.expected


def test_an_annotation_of_a_layer_declared_float_is_refused(project: Project) -> None:
    """The two say different things of one layer."""
    with pytest.raises(ConfigError, match="annotate quantizes layers that float_layers keeps"):
        project.build("both", "both")


def test_same_bytes_alone_and_in_another_order(project: Project, built: Path) -> None:
    """k-means++ is seeded, and no recipe depends on another."""
    names = ("int8_pcqat", "int8_cqat", "float_logits")
    again = project.build("again", *names)
    for name in names:
        for file in ("model.tflite", "keras_outputs.npy", "history.json"):
            one, other = ((at / name / file).read_bytes() for at in (built, again))
            assert hashlib.sha256(one).digest() == hashlib.sha256(other).digest()

"""Models with several inputs, outputs and signatures, trained or ready-made, through the gate."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from projects import BareProject
from several_models import PAIR, SIGNED, TOKENS, TONES, TWO

from litegate.mutation.faults.layers import last
from litegate.runtimes.litert import signatures
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.parser import parse

pytestmark = pytest.mark.slow
CHECKS = Path(__file__).resolve().parents[2] / "checks"
ENTROPY = '"sparse_categorical_crossentropy"'
RECIPES = """
    lg.recipes.int8_qat(fine_tune_epochs=1, input_type="int8", output_type="int8"),
    lg.recipes.int16x8(input_type="int16", output_type="int16"),
"""


class Project(BareProject):
    """A project of one model."""

    def model(self, text, **parts):
        """Write a model; its data set's digests are those that the first run asks for.

        It asks for none where something else is amiss with the data.
        """
        for part, value in parts.items():
            text = text.replace(f"{{{part}}}", value)
        file = self.path / "models" / "model.py"
        file.write_text(text.replace("{DIGESTS}", "{}"))
        if "{DIGESTS}" in text:
            asked = self.gate().stdout
            lines = [line.strip() for line in asked.splitlines() if '": "' in line]
            found = dict.fromkeys(line for line in lines if line.endswith('",'))
            file.write_text(text.replace("{DIGESTS}", "{" + " ".join(found) + "}"))
        return self

    def artifact(self, recipe):
        """The bytes that a recipe was built to."""
        rows = {row["recipe"]: row["artifact"] for row in self.report["recipes"]}
        objects = (self.path / ".litegate" / "store" / "objects").rglob("*")
        held = (path.read_bytes() for path in objects if path.is_file())
        return next(one for one in held if hashlib.sha256(one).hexdigest() == rows[recipe])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A network with two inputs and two outputs, gated by two recipes."""
    project = Project(tmp_path_factory.mktemp("two") / "project")
    project.model(TWO, LOSS=ENTROPY, RECIPES=RECIPES, IMPORT="")
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def ports(tflite):
    """The types of a file's inputs and outputs, by what its signature calls them."""
    graph = parse(tflite)
    (signature,) = graph.signatures
    named = (*signature.inputs, *signature.outputs)
    return {name.removeprefix("quant_"): graph.main.tensors[index].dtype for index, name in named}


def test_a_network_with_two_inputs_and_two_outputs_is_gated(two):
    """Both recipes keep every promise; accuracy is that of the output that decides."""
    found = two.report
    assert {row["verdict"] for row in found["verdicts"]} <= {"pass", "inconclusive"}
    measured = {(row["recipe"], row["measurement"]) for row in found["verdicts"]}
    for recipe in ("int8_qat", "int16x8"):
        assert (recipe, "agreement with Keras") in measured
        assert (recipe, "output error") in measured
    worst = [row for row in found["verdicts"] if row["measurement"] == "output error"]
    assert all("is the worst of 2" in row["sentence"] for row in worst)
    for dtype, recipe in (("int8", "int8_qat"), ("int16", "int16x8"), ("float32", "float32")):
        names = ("picture", "darkness", "which", "even")
        assert ports(two.artifact(recipe)) == dict.fromkeys(names, dtype)


def test_a_second_run_builds_nothing_and_reads_all_from_the_store(two):
    done = two.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "convert" not in done.stdout


def test_a_page_is_made_again_from_the_store(two):
    done = two.python("-c", "from litegate.cli import main; main()", "report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be shown" not in done.stdout


def broken_second_output(tflite):
    """The file with the last layer of the output `even` answering the other class."""

    def change(model):
        draft = Draft(model, output="even")
        layer = last(draft)
        draft.store(layer.weight, draft.values(layer.weight)[::-1].copy())

    return edit(tflite, change)


@pytest.mark.parametrize("broken", [False, True])
def test_ready_made_files_are_held_to_all_their_outputs(two, tmp_path, broken):
    """A fault in the output that does not decide leaves accuracy alone, and fails the others."""
    project = Project(tmp_path / "pair")
    int8 = two.artifact("int8_qat")
    (project.path / "float.tflite").write_bytes(two.artifact("float32+1"))
    (project.path / "int8.tflite").write_bytes(broken_second_output(int8) if broken else int8)
    project.model(PAIR)
    done = project.gate()
    assert done.returncode == int(broken), done.stdout + done.stderr
    verdicts = {row["measurement"]: row for row in project.report["verdicts"]}
    assert verdicts["accuracy"]["verdict"] != "fail"
    for name in ("agreement with the reference", "output error"):
        assert (verdicts[name]["verdict"] == "fail") is broken
        assert not broken or "output even is the worst of 2" in verdicts[name]["sentence"]


WRAPPED = """
    lg.recipes.int8_qat(name="annotated", annotate=by_hand, fine_tune_epochs=1, budget=LOOSE),
    lg.recipes.int8_qat(
        pruning=lg.Pruning(sparsity=lg.percent(40), epochs=1),
        clustering=lg.Clustering(clusters=16, epochs=1),
        fine_tune_epochs=1,
        budget=LOOSE,
    ),
"""
BY_HAND = """
LOOSE = lg.Budget(
    accuracy=lg.percent(60),
    accuracy_drop=lg.points(30),
    agreement=lg.percent(60),
    output_error=lg.percent(90),
)


def by_hand(network, tfmot):
    import tf_keras

    quantize = tfmot.quantization.keras.quantize_annotate_layer
    return tf_keras.models.clone_model(network, clone_function=quantize)


@lg.model"""


def test_recipes_that_wrap_layers_keep_the_names_of_the_outputs(tmp_path):
    """Tfmot calls the last layers otherwise while they are pruned, clustered and quantized."""
    project = Project(tmp_path / "wrapped")
    loss = f'{{"which": {ENTROPY}, "even": {ENTROPY}}}'
    text = TWO.replace("@lg.model", BY_HAND.strip())
    done = project.model(text, LOSS=loss, RECIPES=WRAPPED, IMPORT="").gate()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"even": ENTROPY', '"evn": ENTROPY', "and the network have different outputs"),
        ('(8,), name="darkness"', '(8,), name="dark"', "the input darkness of shape (8,)"),
        (
            'Dense(2, name="even")',
            'Dense(2, name="odd")',
            "do not match the labels of the data",
        ),
        ('output="which"', 'output="wich"', "did you mean 'which'"),
    ],
)
def test_names_that_do_not_fit_are_told(tmp_path, old, new, said):
    """Before anything is trained."""
    project = Project(tmp_path / "names")
    text = TWO.replace("{LOSS}", '{"which": ENTROPY, "even": ENTROPY}')
    assert old in text
    text = text.replace(old, new).replace("ENTROPY", ENTROPY)
    done = project.model(text, RECIPES="lg.recipes.int8_ptq()", IMPORT="").gate()
    assert done.returncode == 1
    assert said in done.stdout
    assert "convert" not in done.stdout


def test_a_keras_3_network_with_several_ports_is_translated(tmp_path):
    project = Project(tmp_path / "keras3")
    loss = f'{{"which": {ENTROPY}, "even": {ENTROPY}}}'
    recipe = "lg.recipes.int8_qat(fine_tune_epochs=1)"
    project.model(TWO, LOSS=loss, RECIPES=recipe, IMPORT="import keras")
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("length", ["64", "None"])
def test_a_sequence_goes_through_integers_after_training(tmp_path, length):
    """Convolutions along time, which tfmot does not train; its length may be free."""
    project = Project(tmp_path / "tones")
    recipes = 'lg.recipes.int8_ptq(input_type="int8", output_type="int8"), lg.recipes.float16()'
    project.model(TONES, RECIPES=recipes, LENGTH=length)
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    free = parse(project.artifact("float16")).main
    assert (free.tensors[free.inputs[0]].shape_signature[1] == -1) is (length == "None")


def test_token_ids_stay_whole_numbers_beside_integer_activations(tmp_path):
    """The input counts, whatever type the recipe declares; calibration shows it integers."""
    project = Project(tmp_path / "tokens")
    recipes = 'lg.recipes.int8_ptq(input_type="int8", output_type="int8"), lg.recipes.float16()'
    project.model(TOKENS, RECIPES=recipes)
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    main = parse(project.artifact("int8_ptq")).main
    (entry,) = (main.tensors[index] for index in main.inputs)
    assert (entry.dtype, entry.scales) == ("int32", ())


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Two files with two signatures each, as TensorFlow converts them: floats and small weights."""
    folder = tmp_path_factory.mktemp("signed")
    done = subprocess.run(
        [sys.executable, "-c", SIGNED, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("signature", ["score", "mix"])
def test_a_signature_of_a_ready_made_file_is_gated(signed, tmp_path, signature):
    project = Project(tmp_path / "signed")
    for name in ("float.tflite", "small.tflite"):
        shutil.copy(signed / name, project.path)
    assert signatures((project.path / "float.tflite").read_bytes()) == ("mix", "score")
    rng = np.random.default_rng(1)
    x, other = rng.normal(size=(2, 200, 64)).clip(-4, 4).astype(np.float32)
    np.savez(project.path / "data.npz", x=x, other=other)
    named = {"score": '"x"', "mix": '{"x": "x", "y": "other"}'}
    text = f'''
"""A file with two signatures."""
import litegate as lg

model = lg.prebuilt(
    reference="float.tflite",
    candidate="small.tflite",
    kind="dynamic_range",
    signature="{signature}",
    data=lg.datasets.npz("data.npz", x={named[signature]}, digests={{DIGESTS}}, domain=(-4, 4)),
    budget=lg.Budget(output_error=lg.percent(2), runtime_agreement=lg.percent(90)),
)
'''
    done = project.model(text).gate()
    assert done.returncode == 0, done.stdout + done.stderr
    unnamed = project.path / "models" / "model.py"
    unnamed.write_text(unnamed.read_text().replace(f'signature="{signature}",', ""))
    done = project.gate()
    assert done.returncode == 1
    assert "one of mix, score" in done.stdout

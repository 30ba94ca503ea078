"""Trained networks out of files: every format, the real tool chain and the real gate."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("start_files.py")
CHECKS = ("accuracy", "agreement", "regression", "size", "tensors", "weakened_limits")
NETWORKS = ("older.keras", "older.h5", "older", "newer.keras", "newer.h5")
GRAPHS = ("exported", "plain", "single", "lambda", "own")
MODEL = """
import litegate as lg
from litegate.spec.recipes import *

mine = lg.trained(
    {start},
    name={name!r},
    data=lg.datasets.digits(),
    recipes=[{recipes}],
    budget=lg.Budget(
        accuracy=lg.percent(88), accuracy_drop=lg.points(3), keras_agreement=lg.percent(97),
        size=lg.kib(16), {budget}
    ),
)
"""
QAT = "int8_qat(fine_tune_epochs=1)"
PTQ = "int8_ptq(calibration_samples=100, input_type='uint8')"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("starts")


@pytest.fixture(scope="module")
def told(folder):
    """What becomes of each file in `folder`, found out in one process with TensorFlow."""
    argv = [sys.executable, SCRIPT, folder]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_keeps_its_weights(told, name):
    """Of tf_keras or translated to it, with the answers that it was saved with."""
    assert told[name]["kind"] == "network"
    assert told[name]["module"].startswith("tf_keras.")
    assert told[name]["difference"] < 1e-5


@pytest.mark.parametrize("name", ["exported", "plain", "single"])
def test_graph_keeps_its_weights(told, name):
    """Whether its batch is free or one sample."""
    assert told[name]["kind"] == "graph"
    assert told[name]["why"] == "a graph without layers"
    assert told[name]["difference"] < 1e-4


def test_saved_model_with_code_of_its_own_is_a_graph(told):
    """TensorFlow's graph needs none of it; why it cannot be trained is told."""
    assert told["lambda"]["kind"] == told["own"]["kind"] == "graph"
    assert told["lambda"]["why"] == "the layer twice of the class Lambda, which contains code"
    assert told["own"]["why"] == "the layer mine of your own class Own"


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("lambda.keras", "the layer twice of the class Lambda, which contains code"),
        ("lambda.h5", "the layer twice of the class Lambda, which contains code"),
        ("lambda3.keras", "the layer twice of the class Lambda, which contains code"),
        ("lambda3.h5", "the layer twice of the class Lambda, which contains code"),
        ("own.keras", "the layer mine of your own class Own"),
        ("own.h5", "the layer mine of your own class Own"),
        ("module.keras", "the layer reshape of the module marker"),
        ("root.keras", "the layer sequential of the module marker"),
        ("function.keras", "the function 'eval'"),
        ("python", "the operations EagerPyFunc"),
        ("reading", "the operations ReadFile"),
        ("named", "the signatures ['other']"),
        ("flat", "inputs [('pixels', '(None, 64)')], 1 outputs"),
        ("weights.h5", "only weights"),
        ("text.keras", "a file that begins with b'no netwo'"),
        ("nothing", "a folder without saved_model.pb"),
    ],
)
def test_what_cannot_be_started_from_is_refused(told, name, got):
    found = told[name]
    assert found["kind"] == "start"
    assert found["what"] == f"litegate.trained cannot start from {name}"
    assert found["got"] == got
    assert found["expected"]
    assert found["remedy"]


def test_no_code_of_a_file_was_run(told):
    """tf_keras alone imports `marker`, in safe mode too: Keras never reads `root.keras`."""
    assert not told["ran"]


def test_layer_that_cannot_be_translated_is_named(told):
    found = told["norm.keras"]
    assert (found["kind"], found["got"]) == ("keras3", "LayerNormalization")
    assert "the layer odd_one" in found["what"]
    assert "start from a SavedModel" in found["remedy"]


def test_damaged_files_are_refused(told):
    """Cut anywhere: archives, HDF5, and each part of a SavedModel."""
    cut = {name: found for name, found in told.items() if name.startswith("cut")}
    assert len(cut) == 6 + 6 + 1
    for name, found in cut.items():
        assert found["kind"] == "start", name
        assert found["expected"].startswith("a complete file"), name


@pytest.mark.parametrize("name", ["plain", "lambda"])
def test_training_on_a_graph_is_refused_with_the_reason(told, name):
    """int8_qat, and epochs before any recipe; int8_ptq is taken."""
    found = told["trains"][name]
    assert set(found) == {"qat", "f"}
    for got, expected, remedy in found.values():
        assert got == told[name]["why"]
        assert "a graph has no layers" in expected
        assert "int8_ptq" in remedy
    assert "qat trains; a graph" in found["qat"][1]
    assert "Training(epochs=...) trains; a graph" in found["f"][1]


class Project:
    """A project that starts from files of `folder`; pytest and litegate are run on it."""

    def __init__(self, path, folder, store):
        self.path, self.folder, self.store = path, folder, store
        (path / "models").mkdir(parents=True)
        (path / "checks").mkdir()
        (path / "weights").mkdir()
        (path / "pytest.ini").write_text("[pytest]\n")
        for name in CHECKS:
            shutil.copy(PROJECT / "checks" / f"test_{name}.py", path / "checks")

    def model(self, name, *recipes, start=None, budget=""):
        """Declare the model of a file, and bring the file; gives the model's name."""
        called = name.replace(".", "_")
        self.bring(name)
        text = MODEL.format(
            name=called,
            start=start or repr(f"weights/{name}"),
            recipes=", ".join(recipes),
            budget=budget,
        )
        (self.path / "models" / f"{called}.py").write_text(text)
        return called

    def bring(self, name, to=""):
        source, place = self.folder / name, self.path / "weights" / (to or name)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy(source, place)

    def git(self, *args):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        argv = ["git", *identity, *args]
        subprocess.run(argv, cwd=self.path, check=True, capture_output=True)

    def run(self, *args):
        return self._run("pytest", "checks/", "-m", "not latency", *args)

    def litegate(self, *args):
        return self._run("litegate", *args)

    def _run(self, command, *args):
        clean = {k: v for k, v in os.environ.items() if k not in ("CI", "LITEGATE_DATA")}
        return subprocess.run(
            [Path(sys.executable).with_name(command), *args],
            cwd=self.path,
            env=clean | {"LITEGATE_STORE": str(self.store), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    @property
    def report(self):
        return json.loads((self.path / ".litegate/report/report.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "store"


@pytest.fixture
def project(tmp_path, folder, told, store):
    assert told
    return Project(tmp_path / "project", folder, store)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_gated_by_qat_and_ptq(project, name):
    """Its references are its own float conversions; the certificate says what it started from."""
    called = project.model(name, QAT, PTQ)
    done = project.run()
    assert done.returncode == 0, done.stdout + done.stderr
    report = project.report
    rows = {row["recipe"]: row for row in report["recipes"]}
    assert set(rows) == {"float32", "float32+1", "int8_qat", "int8_ptq"}
    assert {row["model"] for row in report["verdicts"]} == {called}
    assert {row["verdict"] for row in report["verdicts"]} <= {"pass", "inconclusive"}
    born = report["artifacts"][rows["int8_ptq"]["artifact"]]
    assert born["start"]["path"] == f"weights/{name}"
    assert len(born["start"]["sha256"]) == 64
    assert born["training"]["epochs"] == 0


@pytest.mark.parametrize("name", ["exported", "plain"])
def test_graph_is_gated_by_what_does_not_train(project, name):
    """All five kinds without training, each with the tensors that it promises; exported too."""
    called = project.model(name, PTQ, "dynamic_range()", "float16()", "int16x8()")
    done = project.run()
    assert done.returncode == 0, done.stdout + done.stderr
    judged = {(row["recipe"], row["measurement"]) for row in project.report["verdicts"]}
    for recipe in ("int8_ptq", "dynamic_range", "float16", "int16x8"):
        assert (recipe, "tensor type violations") in judged
    listed = project.litegate("list")
    assert f"{called}: weights/{name}, trained" in listed.stdout
    assert listed.stdout.count("in the store") == 4
    done = project.litegate("export", called, "int8_ptq", "--to", "out.tflite")
    assert done.returncode == 0, done.stderr
    written = hashlib.sha256((project.path / "out.tflite").read_bytes()).hexdigest()
    assert written in project.report["artifacts"]


def test_qat_on_a_graph_is_an_error_that_says_what_to_do(project):
    project.model("plain", QAT)
    done = project.run("-k", "accuracy_reaches")
    assert done.returncode == 1
    assert "(load): litegate.trained cannot start from weights/plain" in done.stdout
    assert "which int8_qat trains; a graph has no layers" in done.stdout


def test_change_of_the_file_is_held_against_the_base(project):
    """The base's start is read out of its commit; another file is another artifact."""
    called = project.model("older.keras", PTQ, budget="regression=lg.Regression()")
    (project.path / ".gitignore").write_text(".litegate\n__pycache__\n")
    project.git("init", "-q", "-b", "main")
    project.git("add", "-A")
    project.git("commit", "-qm", "base")
    project.git("checkout", "-qb", "topic")
    project.bring("newer.keras", to="older.keras")
    project.git("commit", "-qam", "another network")
    project.store = project.path / ".litegate" / "store"  # the base is built here, not found
    done = project.run("--against", "main")
    lost = [
        r for r in project.report["verdicts"] if r["measurement"].startswith("accuracy regression")
    ]
    assert [row["model"] for row in lost] == [called], done.stdout + done.stderr
    assert len(lost[0]["artifacts"]) == 2
    assert "weakened limits" in {row["measurement"] for row in project.report["verdicts"]}


def test_command_may_make_the_start_and_a_pin_may_stand_for_it(project):
    """A SavedModel that a command unpacks; the second run needs neither file nor command."""
    shutil.make_archive(str(project.path / "plain"), "zip", project.folder / "plain")
    command = "python -m zipfile -e plain.zip weights/made"
    start = f"lg.File(path='weights/made', command={command!r})"
    project.model("plain", PTQ, start=start)
    done = project.run("-k", "accuracy_reaches")
    assert done.returncode == 0, done.stdout + done.stderr
    told = project.report["artifacts"]
    [digest] = {born["start"]["sha256"] for born in told.values()}
    shutil.rmtree(project.path / "weights")
    project.model("plain", PTQ, start=f"lg.File(path='$NOWHERE/plain', sha256={digest!r})")
    done = project.run("-k", "accuracy_reaches")
    assert "$NOWHERE, which is not set" in " ".join(done.stdout.split())
    project.model("plain", PTQ, start=f"lg.File(path='gone/plain', sha256={digest!r})")
    done = project.run("-k", "accuracy_reaches")
    assert done.returncode == 0, done.stdout + done.stderr


def test_fine_tuning_moves_the_weights_and_leaves_the_baseline(project):
    """The baseline is the file as it is; the reference is trained on as the candidate is."""
    project.model("older.h5", QAT)
    done = project.run("-k", "accuracy")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["recipe"]: row["artifact"] for row in project.report["recipes"]}
    assert len(set(rows.values())) == 3
    project.model("older.keras", QAT)
    (project.path / "models" / "older_h5.py").unlink()
    project.run("-k", "accuracy")
    others = {row["recipe"]: row["artifact"] for row in project.report["recipes"]}
    assert others == rows  # the same network out of another format: the same bytes

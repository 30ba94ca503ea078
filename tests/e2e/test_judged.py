"""Models that are judged by metrics: trained, quantized, gated, and caught when they are broken."""

import importlib.util
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from projects import BareProject

from litegate.build import process
from litegate.core.options import parse
from litegate.data.digests import array_digest
from litegate.gate.session import GateSession
from litegate.mutation.faults import Draft, edit, layers
from litegate.spec import DataLocations
from litegate.testing.store import fill_store

CHECKS = Path(__file__).resolve().parents[2] / "checks"
MODELS = Path(__file__).with_name("judged")


class Project(BareProject):
    """A project with one of the models."""

    def __init__(self, path, name):
        super().__init__(path)
        self.name = name
        source = (MODELS / f"{name}.py").read_text("utf-8")
        told = f"digests={digests(MODELS / f'{name}.py')!r}"
        (path / "models" / f"{name}.py").write_text(source.replace("digests={}", told), "utf-8")

    def verdicts(self):
        return {row["measurement"]: row for row in self.report["verdicts"]}

    def kill(self, channels):
        """Put a candidate in the store whose first layer has so many dead channels."""
        session = GateSession(parse(self.path, {}, {}, {}), lambda _model, _event: None, print)
        model = session.models[self.name]
        candidate = session.artifact(model, model.recipes[0].name)

        def change(written):
            draft = Draft(written)
            first = layers(draft)[0]
            for tensor, axis in ((first.weight, first.channel), (first.bias, 0)):
                values = np.moveaxis(draft.values(tensor).copy(), axis, 0)
                values[:channels] = 0
                draft.store(tensor, np.ascontiguousarray(np.moveaxis(values, 0, axis)))

        broken = edit(candidate.tflite, change)
        fill_store(
            self.path, self.name, {candidate.recipe.name: broken}, split=candidate.evaluation
        )


def digests(file):
    """What a person pastes after the first run."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: array_digest(array) for name, array in module.load(None).arrays().items()}


MEASURED = {
    "diabetes": {"rmse", "rmse rise", "worst slice's rmse rise", "mae rise"},
    "ink": {"iou", "iou drop", "worst class's iou drop", "worst slice's iou drop"},
    "oddity": {"auc", "auc drop"},
    "cancer": {"f1", "f1 drop", "auc", "auc drop", "accuracy"},
}
"""What each model promises."""
BROKEN = {
    "diabetes": (24, "rmse rise"),
    "ink": (12, "iou drop"),
    "oddity": (20, "auc drop"),
    "cancer": (126, "f1 drop"),
}
"""Dead channels of the first layer, and a measurement that must fail by them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURED)
def test_a_model_is_judged_by_its_metrics(tmp_path, name):
    """Green as it was trained; red, with a sentence, once channels of its first layer are dead."""
    project = Project(tmp_path / "project", name)
    done = project.gate()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = project.verdicts()
    assert MEASURED[name] <= rows.keys()
    assert {rows[measured]["verdict"] for measured in MEASURED[name]} == {"pass"}
    assert ("accuracy" in rows) == (name == "cancer")
    rated = {row["accuracy"] is not None for row in project.report["recipes"]}
    assert rated == {name == "cancer"}
    channels, measured = BROKEN[name]
    project.kill(channels)
    done = project.gate("checks/test_metrics.py")
    assert done.returncode == 1, done.stdout + done.stderr
    row = project.verdicts()[measured]
    assert row["verdict"] == "fail"
    assert f"{name}/{row['recipe']}  {measured} 0." in done.stdout
    assert "of the reference" in row["sentence"]
    assert "the first layer that diverges from " in row["sentence"]


FAMILIES = ("--prove", "--prove-family", "accuracy", "--prove-family", "plumbing")


@pytest.mark.slow
def test_a_gate_of_metrics_is_proven_and_a_gap_in_it_is_found(tmp_path):
    """Without classes: what needs them is not planted, and every promise of a metric is guarded."""
    project = Project(tmp_path / "project", "diabetes")
    done = project.gate(*FAMILIES)
    assert done.returncode == 0, done.stdout + done.stderr
    (proof,) = project.report["proofs"]
    faults = {fault["name"]: fault for fault in proof["faults"]}
    assert "is not a classifier" in faults["wrong_answers"]["unplantable"]
    assert faults["mixed_up_answers"]["smallest"] <= faults["mixed_up_answers"]["must"]
    (project.path / "checks" / "test_metrics.py").unlink()
    done = project.gate("--prove", "--prove-family", "plumbing")
    assert done.returncode == 1, done.stdout + done.stderr
    for promise in ("rmse", "rmse rise", "worst slice's rmse rise", "mae rise"):
        assert f"no check measures the {promise};" in done.stdout


LOSSES = '''
"""One network for each loss; the last layer suits it."""
import numpy as np
import litegate as lg

X = np.float32(np.random.RandomState(0).normal(size=(64, 4)))


def as_it_is(samples):
    return samples


def declared(loss, y_train, y_test):
    def load(_locations):
        return lg.Splits(x_train=X, y_train=y_train, x_test=X[:16], y_test=y_test)

    def network(keras):
        width = 1 if y_train.ndim == 1 else y_train.shape[1]
        layers = [keras.layers.InputLayer(input_shape=(4,)), keras.layers.Dense(width)]
        return keras.Sequential(layers)

    data = lg.Data(
        name=loss, load=load, digests=DIGESTS[loss], preprocess=as_it_is, domain=(-9, 9)
    )
    training = lg.Training(loss=loss, epochs=2, learning_rate=0.05)
    return lg.model(data=data, training=training, recipes=[lg.recipes.int8_ptq()], name=loss)(
        network
    )


FLAGS = (X[:, 0] > 0).astype(np.int64)
TARGETS = X @ np.float32([[1], [2], [3], [4]])
GIVEN = {
    "mae": (TARGETS, TARGETS[:16]),
    "mean_squared_error": (TARGETS[:, 0], TARGETS[:16, 0]),
    "huber": (X, FLAGS[:16]),
    "binary_crossentropy": (FLAGS, FLAGS[:16]),
}
'''
DECLARED = """
mae = declared("mae", *GIVEN["mae"])
mean_squared_error = declared("mean_squared_error", *GIVEN["mean_squared_error"])
huber = declared("huber", *GIVEN["huber"])
binary_crossentropy = declared("binary_crossentropy", *GIVEN["binary_crossentropy"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "validated"),
    [("mae", True), ("mean_squared_error", True), ("huber", False), ("binary_crossentropy", True)],
)
def test_a_loss_by_name_is_trained_and_has_no_accuracy(tmp_path, loss, validated):
    """It falls; on an evaluation split whose labels are other things it is not taken."""
    (tmp_path / "bare.py").write_text(f"DIGESTS = {{}}\n{LOSSES}")
    given = runpy.run_path(str(tmp_path / "bare.py"))
    x, (y_train, y_test) = given["X"], given["GIVEN"][loss]
    arrays = {"x_train": x, "y_train": y_train, "x_test": x[:16], "y_test": y_test}
    told = {loss: {name: array_digest(array) for name, array in arrays.items()}}
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "losses.py"
    mine = next(line for line in DECLARED.splitlines() if line.startswith(f"{loss} ="))
    file.write_text(f"DIGESTS = {told!r}\n{LOSSES}\n{mine}\n")
    (tmp_path / "staging").mkdir()
    request = process.Request(
        file=file,
        project=tmp_path,
        model=loss,
        recipes=("int8_ptq",),
        locations=DataLocations(),
        staging=tmp_path / "staging",
    )
    process.build(request, lambda _event: None, 300)
    first, second = json.loads((tmp_path / "staging" / "int8_ptq" / "history.json").read_text())
    assert second["loss"] < first["loss"]
    assert second["accuracy"] is second["val_accuracy"] is None
    assert (second["val_loss"] is not None) == validated

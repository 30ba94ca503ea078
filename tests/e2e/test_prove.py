"""The proof of the repository's own gate, on real models."""

import json
from importlib.resources import files

import jsonschema
import pytest

DIGITS = ("--litegate-model", "digits_cnn")


def proofs(gate):
    report = json.loads(gate.report.read_text("utf-8"))
    schema = json.loads((files("litegate.report") / "report.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema)
    return report["proofs"]


@pytest.fixture
def poisoned(tmp_path):
    """A TensorFlow that cannot be imported."""
    package = tmp_path / "poison" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('TensorFlow was imported')\n")
    return {"PYTHONPATH": str(package.parent)}


def test_types_of_digits_are_proven_without_tensorflow(gate, fresh, poisoned):
    """One family, warm store: every fault is planted in real bytes and noticed."""
    done = gate(*DIGITS, "-m", "not latency", "--prove", "--prove-family", "types", **poisoned)
    assert done.returncode == 0, done.stdout + done.stderr
    (proof,) = proofs(gate)
    assert proof["holds"]
    assert proof["alarms"] == []
    planted = [fault for fault in proof["faults"] if not fault["unplantable"]]
    assert len(planted) >= 10
    assert all(fault["smallest"] <= fault["must"] for fault in planted)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["digits_cnn", "mnist_cnn"])
def test_every_fault_is_noticed_by_the_repositorys_own_checks(
    gate, poisoned, model, data_directory
):
    """The whole proof, TensorFlow poisoned: nothing needs retraining."""
    data = {"LITEGATE_DATA": str(data_directory)}
    chosen = ("--litegate-model", model)
    gate(*chosen, "-m", "not latency", **data)
    done = gate(*chosen, "--prove", timeout=900, **data, **poisoned)
    assert done.returncode == 0, done.stdout + done.stderr
    (proof,) = proofs(gate)
    assert proof["holds"]
    assert proof["survivors"] == proof["errors"] == proof["unproven"] == proof["alarms"] == []
    families = {fault["family"] for fault in proof["faults"] if fault["smallest"] is not None}
    assert families == {"accuracy", "types", "size", "latency", "operators", "plumbing"}


@pytest.mark.slow
def test_identical_models_and_honest_rebuilds_raise_no_alarm(gate):
    """A hundred comparisons of identical models, twenty rebuilds from other seeds: no alarm."""
    full = ("--prove", "--prove-full", "--prove-budget", "1800", "--prove-family", "plumbing")
    done = gate(*DIGITS, *full, timeout=2400)
    assert done.returncode == 0, done.stdout + done.stderr
    (proof,) = proofs(gate)
    assert proof["alarms"] == []
    assert proof["comparisons"] >= 120
    assert "20 rebuilds from other seeds" in proof["noise"]

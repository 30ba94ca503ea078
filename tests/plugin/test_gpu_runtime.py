"""The runtime for GPUs in a gate: skipped, judged, proven, inspected and compared."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from static_files import static
from typer.testing import CliRunner

from litegate.cli import app
from litegate.mutation.faults import catalogue
from litegate.runtimes import program
from litegate.runtimes.runtime import described
from litegate.spec import Kind
from litegate.testing import evaluation

CHECKS = Path(__file__).resolve().parents[2] / "checks"
FILES = {"float32": static(Kind.FLOAT32), "int8_qat": static()}
BUDGET = "accuracy=lg.percent(90), runtimes=('xnnpack', 'gpu')"


@pytest.fixture(autouse=True)
def runtimes_are_threads():
    """They are processes here."""


@pytest.fixture
def gated(project):
    """A project with the checks of accuracy and runtimes; gives a way to run it."""
    for name in ("test_accuracy.py", "test_runtimes.py"):
        shutil.copy(CHECKS / name, project.path / "checks")

    def run(*args, budget=BUDGET):
        return project.model(budget, files=FILES).run("checks/", *args)

    run.path = project.path
    run.report = lambda: json.loads(
        (project.path / ".litegate" / "report" / "report.json").read_text()
    )
    return run


@pytest.mark.parametrize("in_ci", [False, True])
def test_without_system_packages_nothing_is_judged_on_the_gpu(gated, monkeypatch, in_ci):
    monkeypatch.setenv("VK_DRIVER_FILES", "absent.json")
    monkeypatch.setattr(program, "_IDENTITIES", {})
    if in_ci:
        monkeypatch.setenv("CI", "true")
    done = gated()
    assert done.ret == in_ci
    report = gated.report()
    assert [row["measurement"] for row in report["verdicts"]] == ["accuracy"]
    texts = [row["message"] for row in report["errors"]]
    texts += [row["reason"] for row in report["not_measured"] if not in_ci]
    assert len(texts) == 2
    for text in texts:
        assert "LiteRT's GPU accelerator has no adapter" in text
        assert "apt-get install libvulkan1 chromium" in text
        assert in_ci or text.startswith("NOT JUDGED ON gpu: ")


@pytest.mark.slow
def test_answers_are_judged_on_the_gpu_and_name_the_adapter(gated, gpu):
    done = gated(budget=f"{BUDGET}, accuracy_drop=lg.points(5), runtime_agreement=lg.percent(95)")
    assert done.ret == 0
    rows = {row["measurement"]: row for row in gated.report()["verdicts"]}
    for name in ("accuracy", "accuracy drop", "runtime violations", "runtime agreement"):
        assert rows[f"{name} on gpu"]["evidence"][-1] == described(gpu)
    matrix = {row["runtime"]: row for row in gated.report()["runtimes"]}
    assert matrix["gpu"]["agreement"] == rows["runtime agreement on gpu"]["value"]


@pytest.mark.slow
def test_a_fault_on_the_gpu_alone_is_noticed_there(gated, gpu, monkeypatch):
    """Faults of runtimes alone are planted: with SwiftShader, all of them take minutes."""
    monkeypatch.setattr(catalogue, "MODULES", ("runtimes",))
    gated("--prove", "--prove-family=accuracy", "-k", "floor")
    (proof,) = gated.report()["proofs"]
    (planted,) = (f for f in proof["faults"] if f["name"] == "another_file_on_runtime")
    assert planted["noticed_by"] == {"test_accuracy_reaches_its_floor[gpu]": 1}


@pytest.mark.slow
def test_commands_run_files_on_the_gpu(gpu, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, tflite in FILES.items():
        Path(f"{name}.tflite").write_bytes(tflite)
    split = evaluation(64)
    np.savez("data.npz", x=split.x, y=split.y)
    names = [f"{name}.tflite" for name in FILES]
    runner = CliRunner(env={"COLUMNS": "400"})
    done = runner.invoke(app, ["inspect", names[1], "--runtime", "gpu"])
    assert "runtime gpu          runs it on " in done.output
    arguments = ["compare", *names, "--data", "data.npz", "--runtime", "xnnpack,gpu", "--json"]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    rows = {row["what"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["gpu decides as xnnpack"]["a"] == 1

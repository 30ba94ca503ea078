"""Next steps of verdicts and errors: the commands work as they stand."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.mutation.faults.edits import revalue
from litegate.spec import Kind
from litegate.testing import pad, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
GOOD = tiny(Kind.INT8_QAT)
GROWTH = "checks/test_regression.py::test_file_does_not_grow[tiny-int8_qat]"
LIMITS = "size=lg.byte(10), target='edgetpu', regression=lg.Regression(interface=('a: b',))"
OTHERS = """
from litegate import byte
from litegate.measures.structure.size import size

def test_of_its_own(candidate, require):
    "The limit stands in the check."
    require(size(candidate) <= byte(1))

def test_that_breaks(candidate, require):
    "A mistake of its author."
    raise RuntimeError("broken")
"""


@pytest.fixture
def failing(project):
    """A branch that makes the file larger and its limit wider; the rows of a report by check."""
    for name in ("test_regression.py", "test_weakened_limits.py", "test_size.py"):
        shutil.copy(CHECKS / name, project.path / "checks")
    (project.path / "checks" / "test_others.py").write_text(OTHERS)
    project.model("size=lg.byte(9)").as_base()
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": pad(GOOD, len(GOOD) // 5)}
    project.model(LIMITS, files=files, network="larger")
    return project


def rows(project):
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    return {row["check"]: row for row in report["verdicts"] + report["errors"]}


def test_each_row_that_did_not_pass_has_its_steps(failing, monkeypatch):
    failing.run("checks/", "--against", "main", "-m", "not latency", "--litegate-strict")
    found = rows(failing)
    steps = {check: row["steps"] for check, row in found.items() if "steps" in row}
    passed = {check for check, row in found.items() if row.get("verdict") == "pass"}
    assert passed
    assert set(found) == set(steps) | passed
    reproduce = {check: step["reproduce"] for check, step in steps.items()}
    options = "-m 'not latency' --litegate-strict"
    assert reproduce["test_file_does_not_grow"] == f"pytest '{GROWTH}' --against main {options}"
    ids = {check: found[check]["id"] for check in steps}
    assert reproduce["test_of_its_own"] == f"pytest '{ids['test_of_its_own']}' {options}"
    model = "models/tiny.py"
    unset = f"{model}:16, or its limit Budget(regression=Regression"
    assert {check: step["change"] for check, step in steps.items()} == {
        "test_size_stays_within_budget": f"{model}:16 Budget(size=...), or the network"
        "; a looser limit is judged too (weakened limits)",
        "test_file_does_not_grow": f"{unset}(size=...))",
        "test_model_promises_no_less_than_its_base": f"restore what is listed ({model}:16)",
        "test_accuracy_is_not_lost": f"{unset}(accuracy=...))",
        "test_of_its_own": f"{model}:16, or the limit in checks/test_others.py:5",
        "test_that_breaks": "checks/test_others.py:9",
    }
    intended = {check: step["intended"] for check, step in steps.items() if step["intended"]}
    assert set(intended) == {
        "test_accuracy_is_not_lost",
        "test_file_does_not_grow",
        "test_model_promises_no_less_than_its_base",
    }
    command, *arguments = shlex.split(intended["test_file_does_not_grow"])
    assert command == "litegate"
    arguments[-1] = "agreed in #12"  # the placeholder is refused
    assert CliRunner().invoke(app, arguments).exit_code == 0
    words = shlex.split(reproduce["test_file_does_not_grow"])
    assert failing.run(*words[1:]).parseoutcomes() == {"passed": 1}
    assert rows(failing)["test_file_does_not_grow"]["steps"]["intended"] is None


def test_lost_accuracy_asks_for_layers_to_leave_out(project):
    """Of a recipe that can leave out single ones."""
    shutil.copy(CHECKS / "test_accuracy.py", project.path / "checks")
    shuffled = revalue(GOOD, "depthwise/weight", np.random.default_rng(0).permuted)
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": shuffled}
    project.model("accuracy_drop=lg.points(1)", files=files)
    project.run("checks/")
    change = rows(project)["test_accuracy_stays_within_tolerance"]["steps"]["change"]
    line = "models/tiny.py:16 Budget(accuracy_drop=...)"
    assert change == f"litegate repair tiny int8_qat, or {line}, or the network"


def test_a_network_that_misses_its_floor_in_float_asks_for_no_repair(project):
    """Leaving layers out of quantization gives back what float has, and no more."""
    shutil.copy(CHECKS / "test_accuracy.py", project.path / "checks")
    rng = np.random.default_rng(0)
    kinds = ("float32", Kind.FLOAT32), ("int8_qat", Kind.INT8_QAT)
    files = {name: revalue(tiny(k), "depthwise/weight", rng.permuted) for name, k in kinds}
    project.model("accuracy=lg.percent(99), accuracy_drop=lg.points(90)", files=files)
    project.run("checks/")
    row = rows(project)["test_accuracy_reaches_its_floor"]
    assert row["evidence"][0].endswith("on the same samples: quantization is not the cause")
    line = "models/tiny.py:16 Budget(accuracy=...)"
    assert row["steps"]["change"] == f"{line}, or the network and its training"


def test_a_file_larger_than_its_reference_may_be_stripped(project):
    """In small networks, what int8 adds in scales and names outweighs what it saves."""
    shutil.copy(CHECKS / "test_size.py", project.path / "checks")
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": pad(GOOD, 100_000)}
    project.model(files=files)
    project.run("checks/")
    change = rows(project)["test_file_is_smaller_than_its_reference"]["steps"]["change"]
    assert change == "models/tiny.py:16, the network or its recipe, such as by strip=True"


def test_an_error_of_the_run_is_reproduced_by_the_run(project):
    project.model().check("require(1)", args="require")
    (project.path / "checks" / "test_skipped.py").write_text(
        "import pytest\npytest.skip('a file', allow_module_level=True)\n"
    )
    project.run("checks/", "--litegate-data=a b", "--litegate-report=out")
    [error, of_run] = json.loads((project.path / "out" / "report.json").read_text())["errors"]
    assert error["steps"]["change"] is None
    assert of_run["id"] == ""
    assert of_run["steps"]["reproduce"] == "pytest checks/ '--litegate-data=a b'"

"""action.yml, run here, as another repository uses it."""

import json
import subprocess

import pytest
from harness import load
from made_reports import report, verdict

from litegate.cli.ci_matrix import outputs


@pytest.fixture
def used(started, plant_caches):
    """Use the action on a repository whose artifacts are cached under the project's key."""

    def use(given=None, name="pull_request"):
        run = started(name)

        def key(rows):
            chosen = [row for row in rows if row["model"] == (given or {}).get("model")]
            lines = outputs(chosen or rows).splitlines()
            return [dict(line.partition("=")[::2] for line in lines)["key"]]

        run.caches |= plant_caches(key)
        return run, *run.use(".", given or {})

    return use


def test_four_lines_gate_a_repository(used):
    """Verdict, summary, and the report as an artifact."""
    run, result, given = used()
    assert result == "success", run.log
    assert given == {"verdict": "pass", "report-path": "./.litegate/report/report.json"}
    assert run.summary.startswith("## litegate: pass")
    made = json.loads((run.artifacts["gate-report"] / "report.json").read_text())
    assert {row["model"] for row in made["verdicts"] if row["model"]} == {"first", "second"}


def test_a_failed_gate_fails_the_action_and_still_reports(used, repository):
    """The summary, the annotation and the report are what a person needs then."""
    repository.model("second", size=9)
    repository.head = repository.push("change")
    run, result, given = used()
    assert result == "failure"
    assert given["verdict"] == "fail"
    assert "(limit: &lt;= 9 B" in run.summary
    assert "::error file=models/second.py" in run.log
    assert "gate-report" in run.artifacts


@pytest.mark.slow
def test_one_model_can_be_gated(used):
    """For a matrix of the user's own; another report name keeps its legs apart."""
    run, result, _ = used({"model": "first", "report": "first"})
    assert result == "success", run.log
    made = json.loads((run.artifacts["first"] / "report.json").read_text())
    assert {row["model"] for row in made["verdicts"] if row["model"]} == {"first"}


def test_a_gate_that_does_not_start_is_an_error_with_a_summary(started, repository):
    """A broken model file: nothing was gated, and the page says so."""
    repository.write("models/first.py", "raise RuntimeError('broken')\n")
    repository.head = repository.push("change")
    run = started()
    result, given = run.use(".", {})
    assert result == "failure"
    assert given["verdict"] == "error"
    assert "cannot be read" in run.summary


def test_a_model_that_ends_the_run_is_no_pass(started, repository):
    """Pytest's exit status is 0; a report that was committed is no report of this run."""
    folder = ".litegate/report"
    repository.write(f"{folder}/report.json", json.dumps(report(verdict(model="first"))))
    repository.git("add", "-f", folder)
    repository.write("models/first.py", "import os\nos._exit(0)\n")
    repository.head = repository.push("change")
    run = started()
    result, given = run.use(".", {"model": ""})
    assert "pytest" in run.log
    assert (result, given["verdict"]) == ("failure", "error"), run.log


def test_a_project_in_a_folder_of_its_repository(used, repository):
    """Each command runs there; caches and the report lie there; GitHub finds the model's file."""
    repository.into("ml")
    repository.base = repository.push("main")
    repository.model("second", size=9)
    repository.head = repository.push("change")
    run, result, given = used({"working-directory": "ml"})
    assert result == "failure", run.log
    assert given == {"verdict": "fail", "report-path": "ml/.litegate/report/report.json"}
    assert "::error file=ml/models/second.py" in run.log
    made = json.loads((run.artifacts["gate-report"] / "report.json").read_text())
    assert made["base"]["commit"] == repository.base
    assert {row["model"] for row in made["verdicts"] if row["model"]} == {"first", "second"}


@pytest.mark.parametrize(
    ("extras", "installed"),
    [("train", "[train]"), ("train,tflm", "[train,tflm]"), ("", "")],
)
def test_the_extras_are_installed(extras, installed):
    """None if it is empty."""
    (step,) = (it for it in load("action.yml")["runs"]["steps"] if "pip" in it.get("run", ""))
    assert step["env"] == {"EXTRAS": "${{ inputs.extras }}"}
    env = {"EXTRAS": extras, "GITHUB_ACTION_PATH": "/a b"}
    argv = ["bash", "-euc", f'pip() {{ printf "%s\n" "$@"; }}; {step["run"]}']
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"/a b{installed}"


def test_every_input_is_described():
    """And a string, as every input of an action is."""
    for name, each in load("action.yml")["inputs"].items():
        assert each["description"], name
        assert isinstance(each["default"], str)

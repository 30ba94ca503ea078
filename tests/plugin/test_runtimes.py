"""Runtimes: checks of answers run once for each that the budget names, and the rest once."""

import json
import re
import shutil
from pathlib import Path

import needs
import pytest

from litegate.gate.checks import verdicts
from litegate.runtimes import runtime
from litegate.spec import Kind
from litegate.testing import tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
HYBRID = Kind.DYNAMIC_RANGE
SHARED = """
from litegate.measures.accuracy import accuracy

def test_shared(candidate, budget, stopping_checks, require):
    \"\"\"A check that does not pass its limit judges the bound.\"\"\"
    assert stopping_checks == 4
    require(accuracy(candidate) >= budget.accuracy)
"""
LIMITS = "accuracy=lg.percent(90), accuracy_drop=lg.points(5), extra_errors=lg.per_thousand(50),"


@pytest.fixture
def gated(project):
    """A project with the checks of accuracy and runtimes; gives a way to run it."""
    for name in ("test_accuracy.py", "test_runtimes.py", "test_metrics.py"):
        shutil.copy(CHECKS / name, project.path / "checks")

    def run(budget, *args, **planted):
        return project.model(LIMITS + budget, **planted).run("checks/", *args)

    run.path, run.project = project.path, project
    run.report = lambda: json.loads(
        (project.path / ".litegate" / "report" / "report.json").read_text()
    )
    return run


def test_answers_are_judged_on_each_runtime_and_the_rest_once(gated):
    metric = "metrics=(lg.metrics.top_k(2, least=lg.percent(90)),), "
    done = gated(f"{metric} runtimes=('xnnpack', 'reference')")
    rows = {row["id"].partition("::")[2]: row for row in gated.report()["verdicts"]}
    floor, case = "test_accuracy_reaches_its_floor", "tiny-int8_qat"
    for check in (
        floor,
        "test_accuracy_stays_within_tolerance",
        "test_errors_stay_within_tolerance",
    ):
        here, there = rows[f"{check}[{case}]"], rows[f"{check}[{case}-reference]"]
        assert there["measurement"] == f"{here['measurement']} on reference"
        assert there["n"] == here["n"]
        assert "reference kernels on this machine, not a board" in there["evidence"][-1]
        assert "reference kernels" not in " ".join(here["evidence"])
    names = [name for name in rows if name.startswith("test_metric_reaches")]
    assert len(names) == 2
    assert names[1] == names[0].replace("]", "-reference]")
    assert rows[f"test_runtime_takes_the_file[{case}-reference]"]["value"] == 0
    assert f"test_runtime_takes_the_file[{case}]" not in rows
    assert (
        "accuracy on reference of tiny/int8_qat is"
        in rows[f"{floor}[{case}-reference]"]["sentence"]
    )
    assert [name for name in rows if "leak" in name or "training_split" in name] in (
        [],
        [f"test_samples_are_not_in_the_training_split[{case}]"],
    )
    assert done.ret in (0, 1)
    matrix = {row["runtime"]: row for row in gated.report()["runtimes"]}
    assert list(matrix) == ["xnnpack", "reference"]
    for name, ending in (("xnnpack", ""), ("reference", "-reference")):
        row = matrix[name]
        assert row["accuracy"] == rows[f"{floor}[{case}{ending}]"]["value"]
        drop = rows[f"test_accuracy_stays_within_tolerance[{case}{ending}]"]
        assert row["drop"] == pytest.approx(drop["value"])
        assert row["broken"] - row["fixed"] == round(row["drop"] * row["samples"])
    assert matrix["reference"]["agreement"] > 0.9
    done.stdout.fnmatch_lines(["model/recipe*runtime*accuracy*drop*flips*equal to xnnpack"])
    page = (gated.path / ".litegate" / "report" / "report.html").read_text()
    assert "int8_qat on reference: the samples that it decides otherwise" in page
    run = "litegate: running tiny/int8_qat on reference, "
    assert [line.startswith(run) for line in done.outlines if "running" in line].count(True) == 1


def test_a_bound_on_samples_is_for_checks_that_do_not_stop(gated):
    """Each row says how many samples it judged; four checks share the chance of an error."""
    (gated.path / "checks" / "test_shared.py").write_text(SHARED)
    metric = "metrics=(lg.metrics.top_k(2, least=lg.percent(90)),), class_drop=lg.points(50), "
    gated(f"{metric} runtimes=('xnnpack', 'reference')", "--litegate-runtime-samples", "40")
    rows = {row["measurement"]: row for row in gated.report()["verdicts"]}
    n = rows["accuracy"]["n"]
    judged = f"40 of {n} samples, as --litegate-runtime-samples asks"
    bounded = [row for row in gated.report()["verdicts"] if "on reference" in row["measurement"]]
    by_name = {row["measurement"].removesuffix(" on reference"): row for row in bounded[:-1]}
    assert bounded[-1]["check"] == "test_shared"
    assert judged in bounded[-1]["evidence"]
    metric_row = by_name.pop("top_2")
    assert metric_row["n"] == 40
    assert judged in metric_row["evidence"]
    assert judged in by_name.pop("worst class's accuracy drop")["evidence"]
    assert by_name.pop("runtime violations")["evidence"][0] == "tried on 32 samples"
    assert set(by_name) == {"accuracy", "accuracy drop", "extra errors"}
    for row in by_name.values():
        assert row["n"] == n
        assert row["evidence"][0] == f"all {n} samples"
    gated(f"{metric} runtimes=('xnnpack', 'reference')")
    rows = {row["measurement"]: row for row in gated.report()["verdicts"]}
    assert f"all {n} samples" in rows["worst class's accuracy drop on reference"]["evidence"]
    assert f"all {n} samples" not in rows["worst class's accuracy drop"]["evidence"]


def test_properties_hold_on_each_runtime(gated):
    gated.project.real_checks(examples=5)
    gated("runtimes=('xnnpack', 'reference')", "-k", "property")
    ids = [row["id"].partition("::")[2] for row in gated.report()["verdicts"]]
    check = "test_property_holds_for_any_input"
    for prop in ("finite", "in_range", "repeatable", "batch_invariant"):
        assert f"{check}[tiny-int8_qat-{prop}]" in ids
        assert f"{check}[tiny-int8_qat-reference-{prop}]" in ids
    rows = {row["measurement"]: row for row in gated.report()["verdicts"]}
    assert rows["batch invariance: counterexamples on reference"]["evidence"][1] == (
        "5 samples one after another: the model takes one sample at a time"
    )


def test_runtimes_are_held_to_the_default_one(gated):
    """The reference kernels without being named; with no limit, a difference is a note."""
    done = gated("runtime_agreement=lg.percent(97)")
    assert done.ret == 0
    rows = {row["measurement"]: row for row in gated.report()["verdicts"]}
    assert rows["runtime agreement on reference"]["id"].endswith(
        "test_runtimes.py::test_runtimes_decide_alike[tiny-int8_qat-reference]"
    )
    assert "runtime violations on reference" not in rows
    gated("runtime_agreement=lg.percent(97)", "--litegate-runtime", "xnnpack")
    assert "runtime agreement on reference" in {
        row["measurement"] for row in gated.report()["verdicts"]
    }


def test_a_recipe_may_name_its_own_runtimes_without_the_default(gated):
    recipe = (
        "lg.recipes.int8_qat(name='int8_qat', from_scratch=True,"
        " budget=lg.Budget(runtimes=('reference',)))"
    )
    done = gated("", recipes=recipe)
    assert done.ret == 0
    names = {row["measurement"] for row in gated.report()["verdicts"]}
    assert names == {
        "accuracy on reference",
        "accuracy drop on reference",
        "extra errors on reference",
        "runtime violations on reference",
    }


def test_the_option_leaves_out_a_runtime_and_says_so(gated):
    done = gated("runtimes=('xnnpack', 'reference')", "--litegate-runtime", "xnnpack")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*NOT JUDGED ON reference, as --litegate-runtime asks*"])
    assert not [row for row in gated.report()["verdicts"] if "reference" in row["measurement"]]
    done = gated("", "--litegate-runtime", "npu")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--litegate-runtime: there is no runtime npu*"])


@pytest.mark.parametrize("in_ci", [False, True])
def test_a_runtime_that_is_not_installed_is_never_replaced(gated, monkeypatch, in_ci):
    def missing(name):
        return "tflite-micro is not installed: pip install 'x'" if name == "tflm" else ""

    monkeypatch.setattr(verdicts, "missing", missing)
    monkeypatch.setattr(runtime, "missing", missing)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    done = gated("target='tflm'")
    report = gated.report()
    judged = [row["measurement"] for row in report["verdicts"]]
    assert judged == ["accuracy", "accuracy drop", "extra errors"]
    assert done.ret == in_ci
    if in_ci:
        assert {row["check"] for row in report["errors"]} >= {"test_runtime_takes_the_file"}
        assert all("pip install 'x'" in row["message"] for row in report["errors"])
    else:
        reasons = {row["reason"] for row in report["not_measured"]}
        assert reasons == {"NOT JUDGED ON tflm: tflite-micro is not installed: pip install 'x'"}
        done.stdout.fnmatch_lines(["NOT MEASURED*[[]tiny-int8_qat-tflm[]] and 3 more: NOT JUDGED*"])


@needs.tflm
def test_a_file_that_a_runtime_refuses_fails_in_its_words(gated):
    """And a reference that it refuses is judged on the default runtime, which is said."""
    hybrid = {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.DYNAMIC_RANGE)}
    done = gated("runtimes=('tflm',)", files=hybrid)
    assert done.ret == 1
    (row,) = gated.report()["verdicts"]
    assert row["measurement"] == "runtime violations on tflm"
    assert "FULLY_CONNECTED (number 6) failed to prepare" in row["offenders"][0]
    assert {error["check"] for error in gated.report()["errors"]} >= {
        "test_accuracy_reaches_its_floor"
    }
    swapped = {"float32": tiny(Kind.DYNAMIC_RANGE), "int8_qat": tiny(Kind.INT8_QAT)}
    gated("runtimes=('tflm',)", files=swapped)
    rows = {row["measurement"]: row for row in gated.report()["verdicts"]}
    evidence = rows["accuracy drop on tflm"]["evidence"]
    assert evidence[-2].startswith("the reference ran on xnnpack, since tflm refuses it: ")
    assert evidence[-1].startswith("TensorFlow Lite Micro 0.")


@needs.tflm
def test_a_refused_file_that_is_only_shown_is_a_note(gated):
    """A recipe with gate=False fails nothing, and the reader learns where it would not run."""
    recipes = (
        "lg.recipes.int8_qat(name='int8_qat', from_scratch=True),"
        " lg.recipes.dynamic_range(gate=False)"
    )
    kinds = {"float32": Kind.FLOAT32, "int8_qat": Kind.INT8_QAT}
    files = {name: tiny(kind) for name, kind in (kinds | {"dynamic_range": HYBRID}).items()}
    done = gated("runtimes=('xnnpack', 'tflm')", recipes=recipes, files=files)
    assert done.ret == 0
    (note,) = [note for note in gated.report()["notes"] if "dynamic_range" in note]
    assert re.match(r"tiny/dynamic_range is not gated: tflm \S+ refuses tiny/dynamic_range: ", note)
    assert "failed to prepare" in note
    assert not [row for row in gated.report()["verdicts"] if row["recipe"] == "dynamic_range"]
    gated("", recipes=recipes, files=files)
    assert not [note for note in gated.report()["notes"] if "refuses" in note]


@pytest.mark.slow
def test_a_fault_on_one_runtime_alone_is_noticed_there(gated):
    gated("runtimes=('xnnpack', 'reference')", "--prove", "--prove-family=accuracy", "-k", "floor")
    (proof,) = gated.report()["proofs"]
    (planted,) = (f for f in proof["faults"] if f["name"] == "another_file_on_runtime")
    assert planted["noticed_by"] == {"test_accuracy_reaches_its_floor[reference]": 1}


DELETED = {
    "": (),
    "test_runtimes_decide_alike": ("runtime agreement",),
    "test_runtime_takes_the_file": ("runtime violations",),
}


@pytest.mark.slow
@pytest.mark.parametrize("check", DELETED)
def test_survivors_name_a_deleted_check_of_runtimes(gated, check):
    """With all of them the gate on two runtimes is proven."""
    gated.project.real_checks(examples=5)
    file = gated.path / "checks" / "test_runtimes.py"
    head, *functions = file.read_text().split("\n\n\ndef ")
    kept = [it for it in functions if not check or not it.startswith(check)]
    file.write_text("\n\n\ndef ".join([head, *kept]))
    budget = "runtime_agreement=lg.percent(95), runtimes=('xnnpack', 'reference')"
    families = ("--prove-family=accuracy", "--prove-family=operators")
    done = gated(budget, "--prove", *families, "-m", "not latency", "--prove-budget=900")
    (proof,) = gated.report()["proofs"]
    assert proof["holds"] is not bool(check)
    assert done.ret == bool(check)
    named = {survivor["what"] for survivor in proof["survivors"]}
    assert named == set(DELETED[check])

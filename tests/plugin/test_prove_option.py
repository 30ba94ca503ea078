"""`--prove` from outside: the project's own checks, run on planted faults."""

import html
import json

import pytest

from litegate.data import disk_arrays as rows_on_disk
from litegate.report.badge import badge
from litegate.spec import Kind
from litegate.testing import evaluation, tiny

BUDGET = "accuracy=lg.percent(90), accuracy_drop=lg.points(5), size=lg.kib(8)"
DEAD_CHANNELS = """
from litegate.mutation.faults import Draft, Ladder, edit, fault, layers

@fault(
    family="accuracy",
    ladder=Ladder(1, 6, unit="channels", must=6),
    noticed_by=("accuracy drop",),
)
def dead_channels(scene, grade):
    "The first channels of the first layer answer nothing."
    def change(model):
        draft = Draft(model)
        first = layers(draft)[0]
        values = draft.values(first.weight).copy()
        values[: int(grade)] = 0
        draft.store(first.weight, values)
    return scene.with_candidate(edit(scene.candidate.tflite, change))
"""
GROWTH = "test_file_does_not_grow or test_size"
QUICK = ("checks/", "--prove", "-m", "not latency")


def few_checks(project):
    """The project's own checks, without those that search and those that time."""
    project.real_checks()
    for name in ("test_properties.py", "test_agreement.py", "test_tensors.py", "test_drift.py"):
        (project.path / "checks" / name).unlink()
    return project


def rows(project):
    path = project.path / ".litegate" / "report" / "report.json"
    return json.loads(path.read_text("utf-8"))


def test_a_projects_own_fault_is_planted_and_samples_on_disk_are_proven_in_part(
    project, monkeypatch
):
    """200 samples of 400 bytes, of which 100 are held in memory, are judged whole."""
    monkeypatch.setattr(rows_on_disk, "IN_MEMORY", 100 * 400)
    few_checks(project.model(BUDGET))
    (project.path / "checks" / "faults.py").write_text(DEAD_CHANNELS)
    done = project.run(*QUICK, "--prove-family", "accuracy")
    done.stdout.fnmatch_lines(["*accuracy/dead_channels*test_accuracy_stays_within_tolerance*"])
    done.stdout.fnmatch_lines(["*tiny/int8_qat is proven on 100 of 200 samples, evenly drawn*"])
    report = rows(project)
    accuracy = next(row for row in report["verdicts"] if row["measurement"] == "accuracy")
    assert (accuracy["n"], accuracy["verdict"]) == (200, "pass")
    climbed = {row["name"]: row["noticed_by"] for row in report["proofs"][0]["faults"]}
    assert climbed["dead_channels"]["test_accuracy_stays_within_tolerance"] <= 6
    assert climbed["wrong_answers"]
    assert climbed["samples_too_small"]


def test_a_gate_of_one_check_is_not_proven_and_is_told_what_it_lacks(project):
    project.model(BUDGET).check(
        "require(size(candidate) <= budget.size)",
        head="from litegate.measures.structure.size import size",
        args="candidate, budget, require",
    )
    done = project.run(*QUICK, "--prove-family", "size")
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "*1 passed, 1 error in*",
            "ERROR  tiny/int8_qat: the gate is NOT proven: * survivors",
            "      would notice *",
            "      SURVIVED: no check measures the size growth*regression.size*",
            "litegate: 1 model: 1 pass, the gate is NOT proven: * survivors",
        ]
    )
    report = rows(project)
    (error,) = report["errors"]
    assert (error["id"], error["file"]) == ("--prove", "models/tiny.py")
    assert report["verdict"] == "error"
    assert report["exit_status"] == 1
    assert not report["proofs"][0]["holds"]
    page = (project.path / ".litegate" / "report" / "report.html").read_text("utf-8")
    survivor = next(one for one in report["proofs"][0]["survivors"] if one["what"] == "size growth")
    assert '<h1><span class="mark gate-not-proven">' in page
    assert '<h2 id="model-1-name">tiny <span class="mark gate-not-proven">' in page
    assert "no verdict" not in page
    assert page.index(html.escape(survivor["remedy"])) < page.index('<table class="kills">')


def test_a_check_that_ran_and_missed_the_fault_is_not_what_would_catch_it(project):
    """It is there: its limit let the fault through, and is named."""
    budget = (
        "accuracy=lg.percent(5), accuracy_drop=lg.points(95), "
        "regression=lg.Regression(accuracy=lg.points(95))"
    )
    split = evaluation(80)
    few_checks(project.model(budget, split=split))
    for file in (project.path / "checks").glob("test_*.py"):
        if file.stem not in {"test_accuracy", "test_regression"}:
            file.unlink()
    done = project.run("checks/", "--prove", "--prove-family", "accuracy")
    assert done.ret == 1
    there = "a tighter budget.accuracy_drop (test_accuracy_stays_within_tolerance measured *, and "
    done.stdout.fnmatch_lines([f"*noticed scale_too_large at 6400 %*would catch it: {there}*"])
    (proof,) = rows(project)["proofs"]
    assert not [one for one in proof["survivors"] if "require(accuracy" in one["remedy"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ("", 0),
        ("latency=lg.us(300)", 0),
        ("regression=lg.Regression(latency_floor=lg.us(100))", 1),
    ],
    ids=["defaults", "latency budget", "floor too high"],
)
def test_growth_is_proven_with_the_defaults_and_beside_a_budget(project, limits, status):
    """A floor a hundred times too high survives: it hides what the default notices."""
    few_checks(project.model(f"{BUDGET}, {limits}"))
    families = ("--prove-family", "size", "--prove-family", "latency")
    done = project.run("checks/", "--prove", "--benchmark-enable", *families)
    (proof,) = rows(project)["proofs"]
    survivors = [row["sentence"] for row in proof["survivors"]]
    assert all("the latency growth noticed nothing" in sentence for sentence in survivors)
    assert (len(survivors), done.ret) == (status, status), survivors


def test_an_ordinary_run_plants_nothing(project):
    project.model(BUDGET).real_checks()
    done = project.run("checks/", "-m", "not latency")
    assert done.ret == 0
    assert rows(project)["proofs"] == []


def test_a_check_that_was_not_selected_is_not_asked_though_it_is_for_the_proof_alone(project):
    project.model(BUDGET).real_checks()
    selected = ("-k", "test_size_stays or test_file_does_not_grow")
    project.run("checks/", "--prove", "--prove-family", "size", *selected)
    (proof,) = rows(project)["proofs"]
    assert set(proof["checks"]) == {"test_size_stays_within_budget", "test_file_does_not_grow"}


def test_what_a_selection_left_out_is_not_tried_and_not_survived(project):
    """`-k` of a model's name leaves out the check of the whole project."""
    few_checks(project.model(BUDGET))
    selected = ("-k", "tiny and not latency")
    done = project.run("checks/", "--prove", "--prove-family", "plumbing", *selected)
    assert done.ret == 0
    how = "(-k tiny and not latency, --prove-family plumbing)"
    done.stdout.fnmatch_lines(
        [
            "note: not tried (left out by -k tiny and not latency): nobody noticed model_renamed*",
            f"tiny/int8_qat: the gate is proven for the selection {how}: 3 faults and *",
        ]
    )
    report = rows(project)
    (proof,) = report["proofs"]
    untried = {one["what"] for one in proof["not_tried"] if one["is_fault"]}
    assert untried == {"model_renamed", "model_vanished", "check_removed"}
    assert (proof["holds"], proof["survivors"]) == (True, [])
    assert badge(report)["message"] == "proven for a selection"
    page = (project.path / ".litegate" / "report" / "report.html").read_text("utf-8")
    assert "Not tried (left out by -k tiny and not latency)" in page


def test_a_check_of_another_artifact_is_named_and_fails_the_proof(project):
    """It passes on the reference, whatever the candidate answers."""
    project.model(BUDGET).check(
        "require(accuracy(reference) >= budget.accuracy)",
        head="from litegate.measures.accuracy import accuracy",
        args="candidate, reference, budget, require",
    )
    done = project.run(*QUICK, "--prove-family", "size")
    assert done.ret == 1
    problem = "the accuracy is of the reference, not of the candidate"
    done.stdout.fnmatch_lines(
        [
            f"note: checks/test_one.py::test_it*: {problem}",
            "*the gate is NOT proven: *, 1 check of another artifact",
            f"      OTHER ARTIFACT: test_it: {problem}",
        ]
    )
    (proof,) = rows(project)["proofs"]
    assert proof["misdirected"] == [f"test_it: {problem}"]


@pytest.mark.parametrize("anchored", [True, False])
def test_checks_of_drift_are_proven_where_the_run_has_an_anchor_and_left_out_elsewhere(
    project, anchored
):
    """However loose their limits are, nobody is asked for what this run does not compare."""
    loose = f"{BUDGET}, regression=lg.Regression(size=lg.percent(10_000))"
    project.model(loose).real_checks().as_base()
    anchor = ("--anchor", "HEAD") if anchored else ()
    project.run("checks/", "--prove", "--prove-family", "size", "-k", GROWTH, *anchor)
    (proof,) = rows(project)["proofs"]
    survived = {one["what"] for one in proof["survivors"]}
    assert "size growth" in survived
    assert ("size growth since the anchor" in survived) is anchored
    assert ("test_size_has_not_drifted" in proof["checks"]) is anchored


def test_what_was_not_accepted_is_not_proven(project):
    project.model("accuracy=lg.percent(99.9999), size=lg.byte(10)").real_checks()
    done = project.run(*QUICK)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*tiny-int8_qat was not accepted, so it is not proven*"])
    assert rows(project)["proofs"] == []


def test_a_test_without_require_notices_nothing(project):
    """A plain assertion gates nothing, so a forgotten `require` leaves survivors."""
    project.model(BUDGET).check(
        "assert size(candidate).value <= 8192",
        head="from litegate.measures.structure.size import size",
        args="candidate",
    )
    (project.path / "checks" / "test_two.py").write_text(
        "from litegate.measures.accuracy import accuracy\n\n"
        "def test_floor(candidate, budget, require):\n"
        '    """It answers right."""\n'
        "    require(accuracy(candidate) >= budget.accuracy)\n"
    )
    done = project.run(*QUICK, "--prove-family", "size")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*SURVIVED: no check measures the size;*"])
    done.stdout.fnmatch_lines(
        ["*tests that judge nothing, since they do not use `require`: *test_it*"]
    )


def test_an_unknown_family_is_refused_before_anything_runs(project):
    few_checks(project.model(BUDGET))
    done = project.run(*QUICK, "--prove-family", "colour")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*no family colour*", "*accuracy, types, size*"])


def test_own_faults_that_cannot_be_loaded_are_told(project):
    few_checks(project.model(BUDGET))
    (project.path / "checks" / "faults.py").write_text("import nothing_of_the_kind\n")
    done = project.run(*QUICK)
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*faults.py cannot be loaded*", "*nothing_of_the_kind*"])


def test_workers_of_xdist_are_refused(project):
    few_checks(project.model(BUDGET))
    done = project.run(*QUICK, "-n", "2", apart=True)
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--prove*without -n*"])


@pytest.mark.slow
def test_the_benchmark_table_holds_no_planted_model(project):
    project.model("latency=lg.ms(50), " + BUDGET).real_checks()
    done = project.run("checks/", "--prove", "--prove-family", "latency", "--prove-budget", "1")
    assert done.stdout.str().count("test_latency_stays_within_budget[") == 1
    done.stdout.fnmatch_lines(["*NO TIME LEFT*--prove-budget*"])
    assert done.ret == 1


def test_what_failing_checks_keep_of_planted_models_is_cleared_away(project):
    project.model(BUDGET).check(
        "require(property_violations(candidate, finite, keep=keep) <= 0)",
        head="from litegate.measures.properties import finite, property_violations",
        args="candidate, keep, require",
    )
    project.run(*QUICK, "--prove-family", "accuracy")
    assert not (project.path / ".litegate" / "report" / "planted").exists()
    assert list((project.path / ".litegate" / "report" / "failing").iterdir()) == []


def test_each_gated_recipe_is_proven_apart(project):
    recipes = (
        "lg.recipes.int8_qat(name='int8_qat', from_scratch=True), lg.recipes.int8_ptq(name='ptq')"
    )
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(), "ptq": tiny(Kind.INT8_PTQ)}
    few_checks(project.model(BUDGET, recipes=recipes, files=files))
    project.run("checks/", "--prove", "--prove-family", "size", "-k", GROWTH)
    assert [row["recipe"] for row in rows(project)["proofs"]] == ["int8_qat", "ptq"]

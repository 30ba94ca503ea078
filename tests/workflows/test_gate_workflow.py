"""gate.yml, run here: legs, one verdict, caches by content."""

import json

import pytest
from made_reports import report, verdict
from places import given, planted, put_leg

from litegate.report.history_store import save_verdicts

GATE = ".github/workflows/gate.yml"
EVENTS = ("push", "pull_request", "merge_group")
COMMITS = (("a", "the one before", 1), ("b", "this one", 2))
BOTH = json.dumps(["first", "second"])


@pytest.fixture
def merged(tmp_path, repository, started):
    """Run the last job alone, after legs that left these reports; the run."""

    def merge(legs, result="success", models=BOTH, caches=None, commit=repository.head):
        run = started()
        run.caches |= caches or {}
        for name, made in legs.items():
            head = {"subject": "s", "time": 1, "changed": False} | ((made or {}).get("head") or {})
            put_leg(run, f"gate-leg-{name}", made and made | {"head": head | {"commit": commit}})
        run.results = {
            "list": {"result": "success", "outputs": {"models": models}},
            "gate": {"result": result, "outputs": {}},
        }
        run.workflow(GATE)
        return run

    return merge


def _report(run):
    return json.loads((run.artifacts["gate-report"] / "report.json").read_text())


@pytest.mark.parametrize(
    "name",
    ["fork", *(pytest.param(n, marks=pytest.mark.slow) for n in EVENTS)],
)
def test_every_event_gates_every_model(started, repository, cached, name):
    """The artifacts come out of the cache, the base out of git, the verdict out of the merge."""
    run = started(name)
    run.caches |= cached
    results = run.workflow(GATE)
    assert results == {
        "list": "success",
        "gate": "success",
        "model-gate": "success",
        "wheel": "skipped",
        "badge": "skipped",
    }, run.log
    made = _report(run)
    assert {row["model"] for row in made["verdicts"] if row["model"]} == {"first", "second"}
    assert made["base"]["commit"] == repository.base
    assert "## litegate: pass" in run.summary
    assert set(run.caches) == set(cached)


@pytest.mark.slow
def test_a_broken_promise_fails_the_run_at_the_models_own_line(started, repository, cached):
    """A budget is no part of the key, so the same artifacts are judged."""
    repository.model("second", size=9)
    repository.head = repository.push("change")
    run = started()
    run.caches |= cached
    results = run.workflow(GATE)
    assert (results["gate"], results["model-gate"]) == ("failure", "failure")
    assert "::error file=models/second.py,line=" in run.log
    assert "(limit: &lt;= 9 B" in run.summary


@pytest.mark.slow
def test_a_push_to_main_saves_what_is_new_and_makes_the_badge(
    started, repository, plant_caches, gh
):
    """What is new is found under the base's key here, and saved under its own."""
    old = planted(repository)
    model = repository.work / "models" / "second.py"
    model.write_text(f"{model.read_text()}\nNEW = 1\n")
    caches = plant_caches(lambda _rows: [row["key"] for row in old])
    repository.push("main")
    run = started("main", ref="main")
    run.caches |= caches
    results = run.workflow(GATE)
    assert set(results.values()) == {"success"}, run.log
    legs = json.loads(run.results["list"]["outputs"]["matrix"])
    assert legs[1]["key"] != legs[1]["base_key"] == old[1]["key"]
    store = f"litegate-v2-Linux-X64-{legs[1]['key']}"
    assert set(run.caches) - set(caches) == {store, "litegate-history-7-1"}
    assert [entry["path"] for entry in given(gh, 0)["tree"]] == ["model-gate.json"]


@pytest.mark.slow
def test_a_pull_request_saves_nothing(started, repository, plant_caches):
    """The same change from a branch reads the cache, and leaves it as it is."""
    old = planted(repository)
    model = repository.work / "models" / "second.py"
    model.write_text(f"{model.read_text()}\nNEW = 1\n")
    caches = plant_caches(lambda _rows: [row["key"] for row in old])
    repository.head = repository.push("change")
    run = started()
    run.caches |= caches
    assert run.workflow(GATE)["model-gate"] == "success", run.log
    assert set(run.caches) == set(caches)


def test_the_page_draws_what_earlier_runs_of_main_kept(merged, tmp_path):
    """The last job takes the newest history, and its page has the lines."""
    heads = [{"commit": c * 40, "subject": s, "time": t, "changed": False} for c, s, t in COMMITS]
    kept = [
        report(verdict(model="first", value=t / 1000)) | {"head": h}
        for (*_, t), h in zip(COMMITS, heads, strict=True)
    ]
    save_verdicts(kept[0], tmp_path / "history")
    run = merged(
        {0: kept[1]}, models='["first"]', caches={"litegate-history-1": tmp_path / "history"}
    )
    page = (run.artifacts["gate-report"] / "report.html").read_text("utf-8")
    assert 'class="plot over-commits"' in page
    assert "the one before" in page
    assert set(run.caches) == {"litegate-history-1"}, "a pull request saves nothing"


def test_good_legs_pass(merged):
    """One word for all of them."""
    run = merged({0: report(verdict(model="first")), 1: report(verdict(model="second"))})
    assert run.results["model-gate"]["result"] == "success", run.log
    assert _report(run)["verdict"] == "pass"
    assert "## litegate: pass" in run.summary


def test_a_leg_of_another_commit_fails(merged):
    """Such as a report that was committed: it is none of this run's."""
    legs = {0: report(verdict(model="first")), 1: report(verdict(model="second"))}
    run = merged(legs, commit="e" * 40)
    assert run.results["model-gate"]["result"] == "failure"
    assert "is for another commit" in run.summary


def test_a_failed_leg_fails(merged):
    """With its row in the summary and in an annotation."""
    bad = report(verdict("fail", model="second", file="models/second.py"))
    run = merged({0: report(verdict(model="first")), 1: bad}, "failure")
    assert run.results["model-gate"]["result"] == "failure"
    assert "::error file=models/second.py,line=6" in run.log
    failed = "<code>second/int8_qat</code> <code>accuracy drop</code></td><td>0.70 points</td>"
    assert failed in run.summary


@pytest.mark.parametrize(
    ("legs", "models", "said"),
    [
        ({0: report(verdict(model="first"))}, BOTH, "no leg reported second"),
        ({0: report(verdict(model="first")), 1: None}, BOTH, "cannot be read"),
        ({}, BOTH, "no leg reported first"),
        ({}, "", "no model was expected"),
        ({}, "[]", "no model was expected"),
    ],
)
def test_a_leg_that_did_not_report_fails(merged, legs, models, said):
    """Skipped, cancelled or crashed: GitHub would show a skipped one as green."""
    run = merged(legs, "skipped", models)
    assert run.results["model-gate"]["result"] == "failure"
    assert said in run.summary


def test_the_last_job_runs_whatever_happened_before(started):
    """A list that failed skips the legs, and must not skip the verdict."""
    run = started()
    results = run.workflow(GATE, skip=("list",))
    assert results == {
        "list": "cancelled",
        "gate": "skipped",
        "model-gate": "failure",
        "wheel": "skipped",
        "badge": "skipped",
    }


def test_the_list_is_a_matrix(tmp_path, repository, started):
    """A leg a model, each with the key of what it is made of, and the base's."""
    run = started()
    run.workflow(GATE, skip=("gate", "model-gate"))
    outputs = run.results["list"]["outputs"]
    legs = json.loads(outputs["matrix"])
    assert [leg["model"] for leg in legs] == json.loads(outputs["models"]) == ["first", "second"]
    assert all(leg["key"] == leg["base_key"] for leg in legs)
    assert legs[0]["key"] != legs[1]["key"]


def test_a_base_that_cannot_be_read_costs_the_list_its_keys_alone(repository, started):
    """The gate itself says what is wrong, and fails."""
    repository.base = "f" * 40
    run = started()
    run.workflow(GATE, skip=("gate", "model-gate"))
    legs = json.loads(run.results["list"]["outputs"]["matrix"])
    assert [leg["base_key"] for leg in legs] == ["", ""]
    assert "git knows no commit ffff" in run.log

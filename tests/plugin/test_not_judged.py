"""What no verdict is about is told as such: models, fixtures, files, and runs that ended badly."""

import json

import pytest

from litegate.spec import Kind
from litegate.testing import tiny

SIZE = "from litegate.measures.structure.size import size\nfrom litegate import byte, kib"
KEPT = "require(size(candidate) <= kib(100))"
BROKEN = "require(size(candidate) <= byte(10))"
SHOWN = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, gate=False)"
WHOLE = "require(size(baseline) <= kib(100))"


def _report(project):
    return json.loads((project.path / ".litegate/report/report.json").read_text())


@pytest.mark.parametrize("place", ["conftest.py", "test_one.py"])
def test_a_fixture_of_ones_own_is_named_with_its_place(project, place):
    """The run judges what the fixture gives: that is said, never a reason to act."""
    own = "import pytest\n@pytest.fixture\ndef candidate(candidate):\n    return candidate\n"
    project.model().check(KEPT, head=SIZE + (f"\n{own}" if place == "test_one.py" else ""))
    if place == "conftest.py":
        (project.path / "checks" / place).write_text(own)
    done = project.run()
    assert done.ret == 0
    notes = "\n".join(_report(project)["notes"])
    assert f"the fixture `candidate` is overridden in checks/{place}:" in notes
    done.stdout.fnmatch_lines(["note: the fixture `candidate` is overridden*"])


def test_a_fixture_that_is_parametrized_away_is_named(project):
    """No limit of the model's is asked for."""
    head = f"{SIZE}\nimport pytest, litegate as lg\n"
    head += "@pytest.mark.parametrize('budget', [lg.Budget(size=kib(100))])"
    project.model("size=lg.byte(10)")
    project.check(
        "require(size(candidate) <= budget.size)", head=head, args="candidate, budget, require"
    )
    assert project.run().ret == 0
    assert "the fixture `budget` is overridden in checks/test_one.py" in str(
        _report(project)["notes"]
    )


def test_the_projects_own_fixtures_need_no_word(project):
    """Nor do fixtures of other names."""
    head = f"{SIZE}\nimport pytest\n@pytest.fixture\ndef most():\n    return kib(100)\n"
    project.model().check(
        "require(size(candidate) <= most)", head=head, args="candidate, most, require"
    )
    assert project.run().ret == 0
    assert "overridden" not in str(_report(project)["notes"])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("def test_a():\n    pass\ndef test_a():\n    pass\n", "lines 1 and 3"),
        ("class TestX:\n    def test_a(self): 0\n    def test_a(self): 0\n", "lines 2 and 3"),
        ("class TestX:\n    pass\nclass TestX:\n    pass\n", "lines 1 and 3"),
    ],
)
def test_a_check_that_hides_another_is_an_error(project, text, lines):
    """Of two with one name Python keeps the second."""
    project.model().check(KEPT, head=SIZE)
    (project.path / "checks" / "test_two.py").write_text(text)
    done = project.run()
    assert done.ret == 2
    done.stdout.fnmatch_lines([f"*test_two.py defines * on {lines}: the second hides the first*"])


def test_helpers_of_one_name_are_no_checks(project):
    """A property's setter has its getter's name."""
    head = f"{SIZE}\ndef helper(): 0\ndef helper(): 1\n"
    assert project.model().check(KEPT, head=head).run().ret == 0


def test_a_model_that_gates_no_recipe_is_not_gated(project):
    """It is shown beside the others, and nothing judges it."""
    project.model().model(name="shown", recipes=SHOWN, network="another").check(KEPT, head=SIZE)
    done = project.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["shown was NOT GATED: all its recipes have gate=False*"])
    assert [row["model"] for row in _report(project)["not_gated"]] == ["shown"]


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_run_of_models_that_gate_no_recipe_is_an_error(project, workers):
    """Even where a check of the whole model passes."""
    project.model(recipes=SHOWN).check(WHOLE, head=SIZE, args="model, baseline, require")
    done = project.run("checks/", *workers)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*no model of this run has a gated recipe*", "litegate: *"])
    assert _report(project)["verdict"] == "error"


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_run_without_a_gated_recipe_has_no_check_to_run_and_is_an_error(project, workers):
    """Each check asks for a candidate: pytest collects none, and its status 5 is not ours."""
    project.model(recipes=SHOWN).model(name="other", recipes=SHOWN).check(KEPT, head=SIZE)
    done = project.run("checks/", *workers)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*no model of this run has a gated recipe: other, tiny", "report:*"])
    report = _report(project)
    assert (report["verdict"], report["exit_status"]) == ("error", 1)
    assert {row["model"] for row in report["not_gated"]} == {"tiny", "other"}


def test_a_pin_that_no_artifact_is_built_with_is_a_note_of_every_run(project):
    """It changes no key, so nothing else would show it."""
    (project.path / "pyproject.toml").write_text('[project]\ndependencies = ["keras==3.0.0"]\n')
    done = project.model().check(KEPT, head=SIZE).run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["note: pyproject.toml asks for keras==3.0.0, but artifacts are*"])


SAVED = "require(bytes_saved(candidate, reference) >= byte(1))"
SAVING = "from litegate.measures.structure.size import bytes_saved\nfrom litegate import byte"


@pytest.mark.parametrize(
    ("budget", "body", "is_limited"),
    [("", SAVED, False), ("size=lg.kib(9)", SAVED, True), ("", KEPT, True)],
)
def test_a_model_without_any_limit_is_named_in_the_line_of_counts(
    project, budget, body, is_limited
):
    """Its checks pass for any network; a limit in a check is one, too."""
    head, args = f"{SAVING}\n{SIZE}", "candidate, reference, require"
    project.model(budget).check(body, head=head, args=args)
    done = project.run()
    assert done.ret == 0
    said = "" if is_limited else ", nothing of 1 recipe is limited"
    done.stdout.fnmatch_lines([f"litegate: 1 model: 1 pass{said}"])
    assert _report(project)["unlimited"] == ([] if is_limited else ["tiny/int8_qat"])
    assert ("note: tiny/int8_qat: it has no limits" in done.stdout.str()) is not is_limited


def test_a_candidate_that_does_not_load_passes_nothing(project):
    """A size is read off any bytes; what LiteRT refuses is no model."""
    broken = {"float32": tiny(Kind.FLOAT32), "int8_qat": b"TFL3" * 300}
    project.model(files=broken, keras_outputs=_zeros()).check(KEPT, head=SIZE)
    done = project.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*LiteRT cannot load tiny/int8_qat*"])
    assert _report(project)["verdict"] == "error"


def _zeros():
    import numpy as np

    from litegate.testing import evaluation

    return np.zeros((len(evaluation().y), 4), dtype=np.float32)


@pytest.mark.parametrize(
    ("second", "args", "said"),
    [
        ("def test_plain():\n    assert False\n", [], "checks/test_two.py::test_plain"),
        ("import no_such_module\n", ["--continue-on-collection-errors"], "checks/test_two.py"),
        ("import os\ndef test_crash():\n    os._exit(3)\n", ["-n", "1"], "test_crash"),
        ("def test_stop(request):\n    request.session.shouldstop = 'enough'\n", [], "enough"),
        ("import pytest\ndef test_exit():\n    pytest.exit('bye', 7)\n", [], "7"),
    ],
)
def test_a_run_that_pytest_calls_red_is_no_pass(project, second, args, said):
    """report.json never says better of a run than its exit status."""
    project.model().check(KEPT, head=SIZE)
    (project.path / "checks" / "test_two.py").write_text(second)
    done = project.run("checks/", *args)
    assert done.ret != 0
    report = _report(project)
    assert report["exit_status"] == done.ret
    assert report["verdict"] == "error"
    assert said in report["errors"][-1]["message"]


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
@pytest.mark.parametrize(
    "fixture",
    [f"    {BROKEN}\n    yield\n", f"    yield\n    {BROKEN}\n"],
    ids=["setup", "teardown"],
)
def test_a_promise_broken_around_the_check_is_a_fail(project, fixture, workers):
    """`require` judges in a fixture as it does in a check."""
    head = f"{SIZE}\nimport pytest\n@pytest.fixture\ndef around(candidate, require):\n{fixture}"
    project.model().check(KEPT, head=head, args="around, candidate, require")
    assert project.run("checks/", *workers).ret == 1
    report = _report(project)
    assert report["verdict"] == "fail"
    assert "must be at most 10 B" in str(report["verdicts"])


def test_a_promise_broken_and_caught_in_a_teardown_is_a_fail(project):
    """The verdict counts there too."""
    head = f"{SIZE}\nimport pytest\n@pytest.fixture\ndef around(candidate, require):\n"
    head += f"    yield\n    with pytest.raises(AssertionError):\n        {BROKEN}\n"
    project.model().check(KEPT, head=head, args="around, candidate, require")
    done = project.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*catches its own failure*"])


def test_a_failing_check_that_ends_the_run_leaves_word_of_the_rest(project):
    """-x: the checks after it never ran."""
    head = f"{SIZE}\ndef test_a(candidate, require):\n    'It holds.'\n    {BROKEN}\n"
    project.model().check(KEPT, head=head).run("checks/", "-x")
    report = _report(project)
    assert report["verdict"] == "fail"
    assert "selected checks that never ran: 1" in str(report["notes"])


def test_an_early_exit_under_xdist_is_no_pass(project):
    """What was selected and never reported is told there, too."""
    head = f"{SIZE}\ndef test_a(candidate, require):\n    'It holds.'\n    {KEPT}\n"
    head += "def test_b():\n    pytest.exit('bye', returncode=0)\n"
    done = project.model().check(KEPT, head=f"import pytest\n{head}").run("checks/", "-n", "1")
    assert done.ret != 0
    assert _report(project)["verdict"] == "error"

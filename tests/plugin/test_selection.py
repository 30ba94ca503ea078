"""Which checks run: cases, limits that are not set, and pytest's own ways to select."""

import json

import pytest

from litegate.measures.accuracy import accuracy
from litegate.testing import tiny_artifact

SIZE = "from litegate.measures.structure.size import size\nfrom litegate import kib"
LIMITED = "require(size(candidate) <= budget.size)"
TWO = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True),lg.recipes.dynamic_range(gate=False)"


@pytest.fixture
def sized(project):
    """Two models whose size is limited."""
    project.model("size=lg.kib(100)").model("size=lg.kib(90)", name="other")
    return project.check(LIMITED, head=SIZE, args="candidate, budget, require")


def test_each_gated_recipe_of_each_model_is_a_case(sized):
    """The ids are what -k expects."""
    done = sized.run("checks/", "-v")
    done.stdout.fnmatch_lines(
        ["*::test_it[[]other-int8_qat] PASSED*", "*::test_it[[]tiny-int8_qat] PASSED*"]
    )


@pytest.mark.parametrize("args", [["-k", "other"], ["--litegate-model", "other"]])
def test_one_model_can_be_chosen(sized, args):
    """By pytest's way and by ours."""
    done = sized.run("checks/", *args)
    assert done.ret == 0
    done.stdout.fnmatch_lines(["litegate: 1 model: 1 pass"])


def test_a_misspelt_model_is_refused_with_the_known_ones(sized):
    """Never an empty selection that looks green."""
    done = sized.run("checks/", "--litegate-model", "tinny")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*there is no model tinny*", "*other, tiny*"])


def test_a_misspelt_recipe_is_refused_with_the_known_ones(sized):
    """As for models."""
    done = sized.run("checks/", "--litegate-recipe", "int8")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*no model has a recipe int8*", "*int8_qat*"])


def test_an_empty_selection_is_not_green(sized):
    """Exit status 5, as pytest has it."""
    assert sized.run("checks/", "-k", "nothing_like_it").ret == 5


def test_a_limit_that_is_not_set_collects_no_check(project):
    """And where no check is left, pytest's own exit status 5 says so."""
    project.model("accuracy=lg.percent(1)").check(
        LIMITED, head=SIZE, args="candidate, budget, require"
    )
    assert project.run().ret == 5


def test_unset_limits_are_named(sized):
    """Counted in one line; each limit of each recipe with -v and in the report."""
    done = sized.run()
    report = json.loads((sized.path / ".litegate/report/report.json").read_text())
    names = report["unset_limits"]["tiny-int8_qat"]
    assert names[:2] == ["accuracy", "accuracy_drop"]
    count = sum(map(len, report["unset_limits"].values()))
    done.stdout.fnmatch_lines([f"{count} optional limits unset (-v lists them)"])
    listed = f"no limit for tiny-int8_qat: {', '.join(names)}"
    done.stdout.no_fnmatch_line(listed)
    sized.run("checks/", "-v").stdout.fnmatch_lines([listed])


def test_a_limit_that_does_not_exist_is_refused(project):
    """A misspelt limit must not collect nothing for ever."""
    project.model().check(
        "require(size(candidate) <= budget.sise)", head=SIZE, args="candidate, budget, require"
    )
    done = project.run()
    assert done.ret == 2
    done.stdout.fnmatch_lines(["*names a limit that budget does not have: sise*"])


def test_a_recipes_own_budget_comes_first(project):
    """Field by field, over the model's."""
    recipe = (
        "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, budget=lg.Budget(size=lg.byte(9)))"
    )
    project.model("size=lg.kib(100)", recipes=recipe)
    done = project.check(LIMITED, head=SIZE, args="candidate, budget, require").run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL  * B  (limit: <= 9 B, *"])


def test_a_recipe_that_is_shown_is_never_judged(project):
    """Built, measured, beside the others; no test of its own."""
    from litegate.spec import Kind
    from litegate.testing import tiny

    kinds = {
        "float32": Kind.FLOAT32,
        "int8_qat": Kind.INT8_QAT,
        "dynamic_range": Kind.DYNAMIC_RANGE,
    }
    files = {name: tiny(kind) for name, kind in kinds.items()}
    project.model("size=lg.kib(100)", recipes=TWO, files=files)
    done = project.check(LIMITED, head=SIZE, args="candidate, budget, require").run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["tiny/dynamic_range*shown*", "litegate: 1 model: 1 pass"])


def test_a_check_of_the_whole_model_runs_once_a_model(project):
    """A check that asks for no artifact of a recipe."""
    project.model().check(
        "require(size(baseline) <= kib(100))", head=SIZE, args="model, baseline, require"
    )
    done = project.run("checks/", "-v")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*::test_it[[]tiny] PASSED*"])


def test_a_users_own_fixture_is_left_alone(project):
    """Whoever overrides `candidate` gets no cases from the plugin."""
    head = (
        f"{SIZE}\nimport pytest\nfrom litegate.testing import tiny_artifact\n"
        "@pytest.fixture\ndef candidate():\n    return tiny_artifact()\n"
    )
    done = project.model().check("require(size(candidate) <= kib(100))", head=head).run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["litegate: *1 pass"])


def test_tests_elsewhere_are_left_alone(project):
    """No header, no table, no model is loaded outside the folder of checks."""
    (project.path / "models" / "broken.py").write_text("raise RuntimeError")
    (project.path / "test_plain.py").write_text("def test_plain():\n    pass\n")
    done = project.run("test_plain.py")
    assert done.ret == 0
    done.stdout.no_fnmatch_line("*litegate:*")
    done.stdout.no_fnmatch_line("tool chain*")


def test_a_broken_model_file_is_told_with_its_line(project):
    """Once, and before a check is collected."""
    project.model().check("pass")
    checks = project.path / "checks"
    (first,) = checks.glob("test_*.py")
    (checks / "test_z_second.py").write_text(first.read_text())
    (project.path / "models" / "broken.py").write_text("x = 1 / 0\n")
    done = project.run()
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*broken.py does not load: ZeroDivisionError*", "*broken.py:1*"])
    assert (done.stdout.str() + done.stderr.str()).count("ZeroDivisionError") == 1


def test_a_project_without_models_is_an_error(project):
    """Checks with nothing to check."""
    done = project.check("require(size(candidate) <= kib(1))", head=SIZE).run()
    assert done.ret == 2
    done.stdout.fnmatch_lines(["*declares no model*"])


def test_other_folders_can_be_named(project):
    """litegate_checks and litegate_models."""
    project.model("size=lg.kib(100)").check(LIMITED, head=SIZE, args="candidate, budget, require")
    (project.path / "checks").rename(project.path / "gates")
    (project.path / "models").rename(project.path / "nets")
    project.pytester.makeini("[pytest]\nlitegate_checks = gates\nlitegate_models = nets\n")
    assert project.run("gates/").ret == 0


def test_strict_fails_what_is_inconclusive(project):
    """An unproven promise passes by default, never as a plain pass, and fails under strict."""
    head = "from litegate.measures.accuracy import accuracy"
    reached = float(accuracy(tiny_artifact()).value) * 100
    project.model(f"accuracy=lg.percent({reached:.6g})").check(
        "require(accuracy(candidate) >= budget.accuracy)",
        head=head,
        args="candidate, budget, require",
    )
    done = project.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(
        [
            "INCONCLUSIVE*accuracy*",
            "litegate: 1 model: 1 inconclusive; inconclusive fails with --litegate-strict only",
        ]
    )
    assert project.run("checks/", "--litegate-strict").ret == 1
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    assert (report["verdict"], report["errors"]) == ("inconclusive", [])
    project.pytester.makeini("[pytest]\nlitegate_strict = true\n")
    assert project.run().ret == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--litegate-build-timeout=soon"], "*seconds above 0*"),
        (["--litegate-build-timeout=0"], "*seconds above 0*"),
        (["-o", "litegate_strict=perhaps"], "*perhaps*"),
    ],
)
def test_a_wrong_value_is_refused_at_once(project, args, said):
    """Exit status 4, before anything is collected, with what is allowed."""
    done = project.model().check("pass").run("checks/", *args)
    assert done.ret == 4
    done.stderr.fnmatch_lines([said])


def test_help_lists_every_option(project):
    """Flags and settings from the one table."""
    done = project.run("--help")
    done.stdout.fnmatch_lines(
        ["quality gate for .tflite models:", "*--litegate-model=NAME*", "*litegate_store (string)*"]
    )

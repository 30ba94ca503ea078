"""Runs that mix projects: one usage error names the settings that pytest took, and what to run."""

import pytest

CHECK = '''
from litegate.measures.structure.size import size

def test_size_stays_within_budget(candidate, budget, require):
    """The file is small enough."""
    require(size(candidate) <= budget.size)
'''
SETTINGS = '[tool.pytest.ini_options]\nlitegate_models = "models"\n'


@pytest.fixture
def repository(project):
    """A repository with two projects, each with a check, and settings for pytest at its root."""
    for folder in (project.path / "models", project.path / "checks"):
        folder.rmdir()
    (project.path / "tox.ini").unlink()
    (project.path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    for name in ("kws", "gestures"):
        checks = project.path / name / "checks"
        checks.mkdir(parents=True)
        # No name of the suite's own: a fork has the modules that the suite has imported.
        (checks / "test_small_file.py").write_text(CHECK)
        (checks.parent / "models").mkdir()
        (checks.parent / "pyproject.toml").write_text(SETTINGS)
    return project


def refused(done):
    """The error that is all that a run printed as such."""
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR" not in done.stdout.str()
    lines = [line for line in done.stderr.lines if line]
    assert lines[0].startswith("ERROR: ")
    return "\n".join(lines)


def test_two_projects_are_no_run(repository):
    """The first argument's settings hold; a file or a test of the other project counts as well."""
    (repository.path / "pyproject.toml").unlink()
    for first, second in (("kws", "gestures"), ("gestures", "kws")):
        for part in (
            "",
            "/test_small_file.py",
            "/test_small_file.py::test_size_stays_within_budget",
        ):
            done = repository.run(f"{first}/checks", f"{second}/checks{part}")
            assert refused(done) == (
                f"ERROR: {second}/checks/ belongs to another project: "
                f"this run has the settings of {first}/pyproject.toml\n"
                f"  what to do: run `pytest {second}/checks/` by itself"
            )


def test_a_folder_of_checks_may_have_another_name(repository):
    """Its own settings name it."""
    (repository.path / "pyproject.toml").unlink()
    folder = repository.path / "kws"
    (folder / "checks").rename(folder / "gate")
    (folder / "pyproject.toml").write_text(f'{SETTINGS}litegate_checks = "gate"\n')
    assert "kws/gate/ belongs to another project" in refused(
        repository.run("gestures/checks", "kws/gate")
    )


def test_a_folder_without_settings_belongs_to_the_root(repository):
    """The error says how it gets some."""
    (repository.path / "kws" / "pyproject.toml").unlink()
    assert refused(repository.run("kws/checks")) == (
        "ERROR: kws/checks/ belongs to another project: "
        "this run has the settings of pyproject.toml\n"
        "  what to do: run `litegate init` in kws/ for its settings, "
        "then run `pytest kws/checks/` by itself"
    )
    (repository.path / "pyproject.toml").unlink()
    assert "this run has no settings file" in refused(repository.run("kws/checks"))


def test_settings_above_two_projects_are_those_of_a_run_of_both(repository):
    assert refused(repository.run("kws/checks", "gestures/checks")) == (
        "ERROR: kws/checks/ belongs to another project: "
        "this run has the settings of pyproject.toml\n"
        "  what to do: run `pytest kws/checks/` by itself"
    )


@pytest.mark.parametrize("mode", ["importlib", "prepend"])
def test_a_run_of_everything_stops_at_the_first_of_them(repository, mode):
    """Before a second file of the same name is an error of pytest's own."""
    error = refused(repository.run(f"--import-mode={mode}", "."))
    assert "gestures/checks/ belongs to another project" in error
    assert error.endswith("by itself, and keep it out of this run by testpaths or --ignore")


def test_fixtures_of_these_names_may_be_a_projects_own(repository):
    """Tests that never heard of litegate run as before."""
    tests = repository.path / "tests"
    tests.mkdir()
    fixtures = "".join(
        f"@pytest.fixture\ndef {name}():\n    return {name!r}\n" for name in ("require", "model")
    )
    test = "def test_own(require, model):\n    assert (require, model) == ('require', 'model')\n"
    (tests / "test_own.py").write_text(f"import pytest\n\n{fixtures}\n{test}")
    repository.run("tests").assert_outcomes(passed=1)


@pytest.mark.slow
def test_workers_refuse_them_too(repository):
    (repository.path / "kws" / "pyproject.toml").unlink()
    done = repository.run("kws/checks", "-n", "2", apart=True)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*kws/checks/ belongs to another project*"])

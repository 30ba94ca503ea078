"""litegate's settings in a host project's pytest configuration, and runs there without litegate."""

import pytest

STRICT = {
    "strict_config": "strict_config = true",
    "--strict-config": 'addopts = ["--strict-config"]',
    "pytest 9's strict": "strict = true",
}
SETTINGS = 'litegate_models = "models"\nlitegate_checks = "checks"'
WITHOUT = {
    "switched off": (("-p", "no:litegate"), {}),
    "not installed": ((), {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),  # no entry point is loaded
}


@pytest.fixture(params=WITHOUT.values(), ids=WITHOUT)
def without(request, host, monkeypatch):
    """Run the host project's own tests in a process that does not load litegate."""

    def run():
        options, environment = request.param
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return host.run_apart(*options, "tests")

    return run


@pytest.fixture
def host(project):
    """A project with tests of its own, a model and a check."""
    (project.path / "tox.ini").unlink()
    (project.path / "tests").mkdir()
    (project.path / "tests" / "test_own.py").write_text("def test_own():\n    pass\n")
    project.model("size=lg.byte(100_000)").check(
        "require(size(candidate) <= budget.size)",
        head="from litegate.measures.structure.size import size\n",
        args="candidate, budget, require",
    )
    return project


def _configure(folder, *lines):
    """Write pytest's settings into the pyproject.toml of a folder."""
    text = "\n".join(("[tool.pytest.ini_options]", *lines, ""))
    (folder / "pyproject.toml").write_text(text)


@pytest.mark.parametrize("strict", STRICT.values(), ids=STRICT)
def test_settings_are_unknown_to_a_strict_run_without_litegate(host, without, strict):
    """The run with litegate knows them; the one without ends before a test starts."""
    _configure(host.path, strict, SETTINGS)
    host.run("checks/", "tests", apart=True).assert_outcomes(passed=2)
    done = without()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: Unknown config option: litegate_*"])


def test_settings_are_a_warning_to_any_other_run_without_litegate(host, without):
    _configure(host.path, SETTINGS)
    done = without()
    done.assert_outcomes(passed=1, warnings=2)
    done.stdout.fnmatch_lines(["*PytestConfigWarning: Unknown config option: litegate_checks"])


def test_a_folder_of_its_own_keeps_the_settings_apart(host, without):
    """`ml/pyproject.toml` has litegate's settings, the host's own file has none of them."""
    ml = host.path / "ml"
    ml.mkdir()
    for name in ("models", "checks", ".litegate"):
        (host.path / name).rename(ml / name)
    _configure(host.path, "strict = true", 'testpaths = ["tests"]')
    _configure(ml, "strict = true", SETTINGS, "litegate_strict = true")
    without().assert_outcomes(passed=1)
    host.run("ml/checks/", apart=True).assert_outcomes(passed=1)
    assert (ml / ".litegate" / "report" / "report.json").is_file()
    assert not (host.path / ".litegate").exists()


def test_environment_variables_need_no_settings(host, without, monkeypatch):
    """`models/` and `checks/` are the defaults; the environment names the store and the data."""
    (host.path / ".litegate" / "store").rename(host.path / "elsewhere")
    _configure(host.path, "strict = true")
    without().assert_outcomes(passed=1)
    monkeypatch.setenv("LITEGATE_STORE", str(host.path / "elsewhere"))
    monkeypatch.setenv("LITEGATE_DATA", str(host.path / "data"))
    host.run("checks/", apart=True).assert_outcomes(passed=1)
    assert not (host.path / ".litegate" / "store").exists()

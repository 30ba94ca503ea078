"""`litegate init`: what it writes, and that nothing that is there is touched."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.cli.init import TEMPLATES, checks, put
from litegate.core.errors import ConfigError
from litegate.core.options import OPTIONS
from litegate.spec.loader import discover

PROJECT = Path(__file__).resolve().parents[3]
OURS = sorted(path.name for path in (PROJECT / "checks").glob("*.py"))
OTHERS = {".github/workflows/gate.yml", ".gitignore", "models/my_model.py", "pyproject.toml"}


def _files(folder):
    """Every file below a folder, with its bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _said(folder, name):
    """What is said of one file."""
    (line,) = (line for line in put(folder) if line[7:].startswith(name))
    return line


def test_an_empty_folder_is_made_ready(tmp_path):
    """Models, checks, workflow and settings, each listed."""
    lines = list(put(tmp_path))
    written = set(_files(tmp_path))
    assert written == OTHERS | {f"checks/{name}" for name in OURS}
    assert {line.removeprefix("wrote  ") for line in lines[:-1]} == written
    assert "pytest checks/" in lines[-1]


def test_the_checks_are_this_projects_own(tmp_path):
    """One copy, which this repository is gated by itself."""
    list(put(tmp_path))
    for name in OURS:
        assert (tmp_path / "checks" / name).read_bytes() == (PROJECT / "checks" / name).read_bytes()


def test_the_example_declares_a_model(tmp_path):
    """Gated, with limits; read without TensorFlow."""
    list(put(tmp_path))
    found = discover(tmp_path / "models", tmp_path)
    assert list(found) == ["my_model"]
    assert any(recipe.gate for recipe in found["my_model"].recipes)
    assert "accuracy" not in found["my_model"].budget.unset_limits()


def test_a_second_time_nothing_is_written(tmp_path):
    """And it says of each file that it is there."""
    list(put(tmp_path))
    before = _files(tmp_path)
    assert not [line for line in put(tmp_path) if line.startswith("wrote")]
    assert _files(tmp_path) == before


@pytest.mark.parametrize("name", [f"checks/{OURS[0]}", *sorted(OTHERS)])
def test_what_is_there_stays_as_it_is(tmp_path, name):
    """Whatever the file holds."""
    place = tmp_path / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("# mine\n")
    assert _said(tmp_path, name).startswith("left   ")
    assert place.read_text() == "# mine\n"


def test_a_check_that_differs_is_said_to(tmp_path):
    """So that a person who updates litegate can compare."""
    list(put(tmp_path))
    place = tmp_path / "checks" / OURS[0]
    assert _said(tmp_path, f"checks/{OURS[0]}").endswith("it is there already")
    place.write_text("# mine\n")
    assert _said(tmp_path, f"checks/{OURS[0]}").endswith("it is there already, and is another")


def test_nothing_is_written_through_a_link(tmp_path):
    """A link that points at nothing is somebody's too."""
    elsewhere = tmp_path / "elsewhere.py"
    project = tmp_path / "project"
    (project / "checks").mkdir(parents=True)
    (project / "checks" / OURS[0]).symlink_to(elsewhere)
    assert _said(project, f"checks/{OURS[0]}").startswith("left   ")
    assert not elsewhere.exists()


def test_own_models_need_no_example(tmp_path):
    """An example beside them would be gated with them."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "keyword.py").write_text("")
    assert "keyword.py is there" in _said(tmp_path, "models/my_model.py")
    assert not (tmp_path / "models" / "my_model.py").exists()


@pytest.mark.parametrize(
    ("name", "text", "holds"),
    [
        ("pytest.ini", "", True),
        ("pyproject.toml", "[project]\nname = 'mine'\n", True),
        ("tox.ini", "[tox]\n\n[pytest]\naddopts = -ra\n", True),
        ("tox.ini", "[tox]\n", False),
        ("setup.cfg", "[tool:pytest]\n", True),
        ("setup.cfg", "[metadata]\nname = pytest\n", False),
    ],
)
def test_settings_are_added_only_where_pytest_finds_none(tmp_path, name, text, holds):
    """Else the section is printed, for a person to add."""
    (tmp_path / name).write_text(text)
    lines = list(put(tmp_path))
    assert ("wrote  pyproject.toml" in lines) is not holds
    assert any("[tool.pytest.ini_options]" in line for line in lines) is holds
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (".litegate/\n", "names"),
        ("build/\n/.litegate\n", "names"),
        ("x.litegate/\n", "add"),
        ("", "add"),
    ],
)
def test_what_git_should_ignore_is_said(tmp_path, text, said):
    """Artifacts do not belong into the repository."""
    (tmp_path / ".gitignore").write_text(text)
    assert said in _said(tmp_path, ".gitignore")
    assert (tmp_path / ".gitignore").read_text() == text


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    """With the place that is in the way."""
    (tmp_path / ".github").write_text("a file")
    with pytest.raises(ConfigError, match=r"gate\.yml cannot be written"):
        list(put(tmp_path))


def test_the_settings_are_the_defaults(tmp_path):
    """What is written changes nothing, it shows where to change it."""
    list(put(tmp_path))
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    defaults = {option.name: option.default for option in OPTIONS}
    for name, value in settings["tool"]["pytest"]["ini_options"].items():
        assert value == defaults[name]


def test_the_workflow_is_pinned_and_has_no_expression_in_a_command():
    """Actions by hash; what a name holds is never run."""
    text = (TEMPLATES / "gate.yml").read_text("utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)
    assert not any("${{" in command for command in re.findall(r"run: (.*)", text))


def test_the_workflows_commands_exist():
    """Each command, and each option, is one that litegate has."""
    commands = re.findall(r"run: (.*)", (TEMPLATES / "gate.yml").read_text("utf-8"))
    (gate,) = (command for command in commands if command.startswith("pytest checks/"))
    assert set(re.findall(r"--[\w-]+", gate)) <= {option.flag for option in OPTIONS}
    ours = [command.split()[1:] for command in commands if command.startswith("litegate ")]
    assert ours
    for name, *rest in ours:
        known = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
        assert known.exit_code == 0
        assert all(word in known.output for word in rest if word.startswith("--"))


def test_the_command_works_in_the_working_directory(tmp_path, monkeypatch):
    """`litegate init`, as it is typed."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init"])
    assert done.exit_code == 0, done.output
    assert f"wrote  checks/{OURS[0]}" in done.output
    assert (tmp_path / "checks" / OURS[0]).is_file()


def test_a_checkout_uses_the_checks_beside_it():
    """An editable installation has no second copy of them."""
    assert checks() == PROJECT / "checks"


@pytest.mark.slow
def test_a_wheel_brings_the_checks_and_templates(tmp_path):
    """What an installation from a registry finds."""
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*argv, str(PROJECT)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in OURS:
        assert f"litegate/templates/checks/{name}" in names
    for path in TEMPLATES.iterdir():
        assert f"litegate/templates/{path.name}" in names

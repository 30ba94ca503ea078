"""`litegate init`: what it writes, and that nothing that is there is touched."""

import re
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
from typer.testing import CliRunner

from litegate.cli import app
from litegate.cli.init import TEMPLATES, checks, put
from litegate.core.errors import ConfigError
from litegate.core.options import OPTIONS
from litegate.gate.project_settings import settings
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
    """Models, checks, workflow and settings, listed; then what to do."""
    lines = list(put(tmp_path))
    assert set(_files(tmp_path)) == OTHERS | {f"checks/{name}" for name in OURS}
    wrote = {line.removeprefix("wrote  ") for line in lines if line.startswith("wrote")}
    assert wrote == OTHERS | {f"checks/: {len(OURS)} files of checks"}
    first, second, third, fourth = lines[len(wrote) :]
    assert first.startswith("next:  1. `pytest checks/` trains the example models/my_model.py")
    assert second.startswith("       2. put your own model in its place")
    assert third.startswith("       3. correct the workflow's line `pip install`")
    assert fourth.startswith("       4. commit the files: GitHub's workflow compares")
    assert fourth.endswith("(for GitLab: `litegate init --gitlab`)")


def test_without_tensorflow_the_first_step_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[put.__module__], "find_spec", lambda _name: None)
    *_, first, second, _, _, _ = put(tmp_path)
    assert 'next:  1. for the training: `pip install "litegate[train]"` (TensorFlow)' in first
    assert "ready-made .tflite files do not need it" in first
    assert "2. `pytest checks/`" in second


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
    *lines, last = put(tmp_path)
    assert all(line.startswith("left   ") for line in lines)
    assert last.startswith("nothing to do: all files are there")
    assert _files(tmp_path) == before


@pytest.mark.parametrize("name", [f"checks/{OURS[0]}", *sorted(OTHERS)])
def test_what_is_there_stays_as_it_is(tmp_path, name):
    """Whatever the file holds."""
    place = tmp_path / name
    place.parent.mkdir(parents=True, exist_ok=True)
    text = "import litegate\n" if name.endswith("my_model.py") else "# mine\n"
    place.write_text(text)
    assert _said(tmp_path, name).startswith(("left   ", "to do  "))
    assert place.read_text() == text


def test_a_check_that_differs_is_said_to(tmp_path):
    """So that a person who updates litegate can compare."""
    list(put(tmp_path))
    (tmp_path / "checks" / OURS[0]).write_text("# mine\n")
    assert _said(tmp_path, f"checks/{OURS[0]}").endswith("it exists already, and differs")
    others = f"checks/: {len(OURS) - 1} files of checks are there already"
    assert _said(tmp_path, "checks/:") == f"left   {others}"


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
    (tmp_path / "models" / "keyword.py").write_text("import litegate as lg\n")
    assert "keyword.py is there" in _said(tmp_path, "models/my_model.py")
    assert not (tmp_path / "models" / "my_model.py").exists()


@pytest.mark.parametrize("name", ["user.py", "user/admin.py"])
def test_a_models_folder_of_something_else_is_noticed(tmp_path, name):
    """Before anything is written; the error has a command for either wish, and both work."""
    (tmp_path / "models" / name).parent.mkdir(parents=True)
    (tmp_path / "models" / name).write_text("from django.db import models\n")
    (tmp_path / "models" / "__init__.py").touch()
    before = _files(tmp_path)
    with pytest.raises(ConfigError, match=f"no model file of litegate(.|\n)*{name}") as error:
        list(put(tmp_path))
    assert _files(tmp_path) == before
    offered = re.findall(r"`--models (\w+)`", str(error.value))
    assert offered == ["gate_models", "models"]
    for folder in offered:
        assert f"wrote  {folder}/my_model.py" in list(put(tmp_path, models=folder))


def test_a_models_folder_without_python_files_is_used(tmp_path):
    """Git's placeholder and a package's marker hold nothing; the gate imports no other files."""
    (tmp_path / "models").mkdir()
    for name in ("__init__.py", ".gitkeep", "kws.tflite", "weights.h5"):
        (tmp_path / "models" / name).touch()
    assert "wrote  models/my_model.py" in list(put(tmp_path))


def test_another_folder_of_models_is_set(tmp_path):
    """The run reads the setting, and so does a second `litegate init`."""
    lines = list(put(tmp_path, models="gate_models/"))
    assert any("the example gate_models/my_model.py" in line for line in lines)
    assert settings(tmp_path)["litegate_models"] == "gate_models"
    assert next(iter(put(tmp_path))) == "left   gate_models/my_model.py: it exists already"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("pytest.ini", "[pytest]\n", "`litegate_models = mine` to pytest's settings, [pytest]"),
        ("setup.cfg", "[tool:pytest]\n", "`litegate_models = mine` to *, [tool:pytest]"),
        ("pytest.toml", "[pytest]\n", '`litegate_models = "mine"` to *, [pytest]'),
        (
            "pyproject.toml",
            "[project]\n",
            '`litegate_models = "mine"` to *, [tool.pytest.ini_options]',
        ),
        ("pyproject.toml", "[tool.pytest]\n", '`litegate_models = "mine"` to *, [tool.pytest]'),
    ],
)
def test_settings_that_are_there_get_a_line_by_hand(tmp_path, name, text, line):
    """In that file's own words; with it, nothing is left to do."""
    (tmp_path / name).write_text(text)
    to_do = [line for line in put(tmp_path, models="mine") if line.startswith("to do")]
    assert fnmatch(to_do[0], f"to do  {name}: add {line.replace('[', '[[]')}")
    section, value = to_do[0].rpartition(", ")[2], to_do[0].split("`")[1]
    (tmp_path / name).write_text(f"{section}\n{value}\n")
    assert next(iter(put(tmp_path))).startswith("left   mine/my_model.py")


@pytest.mark.parametrize("folder", ["/models", "../models", ".", ""])
def test_models_must_be_in_the_project(tmp_path, folder):
    with pytest.raises(ConfigError, match="--models is not a folder of this project"):
        list(put(tmp_path, models=folder))
    assert not _files(tmp_path)


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
    """The defaults need none, so a file that is there stays as it is."""
    (tmp_path / name).write_text(text)
    lines = list(put(tmp_path))
    assert ("wrote  pyproject.toml" in lines) is not holds
    assert any(line.startswith(f"left   {name}: ") for line in lines) is holds
    assert (tmp_path / name).read_text() == text


def test_a_project_below_another_has_settings_of_its_own(tmp_path):
    """Else pytest takes the upper file and its folder; also beside a pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "pyproject.toml").write_text("[project]\n")
    assert "wrote  pyproject.toml" in list(put(tmp_path / "one"))
    assert "wrote  pytest.toml" in list(put(tmp_path / "two"))
    for name in ("one", "two"):
        assert settings(tmp_path / name) == {
            "litegate_models": "models",
            "litegate_checks": "checks",
        }


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


def test_git_may_ignore_what_lies_below_the_root(tmp_path):
    """A pattern without a leading slash counts in each folder, others do not."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "ml").mkdir()
    (tmp_path / ".gitignore").write_text("/.litegate/\n")
    assert "wrote  .gitignore" in list(put(tmp_path / "ml"))
    (tmp_path / "ml" / ".gitignore").unlink()
    (tmp_path / ".gitignore").write_text(".litegate/\n")
    assert _said(tmp_path / "ml", "../.gitignore") == "left   ../.gitignore: it names .litegate/"


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
    assert f"wrote  checks/: {len(OURS)} files" in done.output
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


@pytest.fixture
def on_gitlab(tmp_path):
    """A repository with a pipeline of its own, and a folder `ml`; it gives what init prints."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "ml").mkdir()

    def put_beside(pipeline, folder="ml"):
        (tmp_path / ".gitlab-ci.yml").write_text(pipeline)
        lines = list(put(tmp_path / folder))
        assert (tmp_path / ".gitlab-ci.yml").read_text() == pipeline
        assert not (tmp_path / ".github").exists()
        return lines

    return put_beside


@pytest.mark.parametrize(
    ("remote", "taken", "is_gitlab"),
    [
        ("git@gitlab.com:a/b.git", "", True),
        ("https://gitlab.example.org/a/b", "", True),
        ("https://github.com/gitlab/b", "", False),
        ("git@gitlab.com:a/b.git", ".github", False),
        ("", "", False),
    ],
)
def test_the_remote_s_host_decides_without_a_workflow(tmp_path, remote, taken, is_gitlab):
    """Not its path; a workflow that is there decides before it."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    if remote:
        subprocess.run(["git", "remote", "add", "origin", remote], cwd=tmp_path, check=True)
    if taken:
        (tmp_path / taken).mkdir()
    *_, last = put(tmp_path)
    assert (tmp_path / ".gitlab-ci.yml").exists() is is_gitlab
    assert (tmp_path / ".github" / "workflows" / "gate.yml").exists() is not is_gitlab
    assert last.endswith(f"`litegate init --{'github' if is_gitlab else 'gitlab'}`)")


def test_a_pipeline_that_is_there_includes_the_job(on_gitlab):
    """By hand, since no file is changed; then nothing is left to do. No flag is needed."""
    before = "build:\n  script: make\n"
    lines = on_gitlab(before)
    [at] = (number for number, line in enumerate(lines) if line.startswith("to do"))
    assert lines[at].startswith("to do  ../.gitlab-ci.yml: add these lines, or the last one to")
    added = [line.removeprefix(" " * 11) for line in lines[at + 1 : at + 3]]
    assert added == ["include:", '  - local: "/ml/gate.gitlab-ci.yml"']
    assert "next:  1. change by hand what is marked `to do` above" in lines
    lines = on_gitlab("\n".join([before, *added]))
    assert "left   ../.gitlab-ci.yml: it includes gate.gitlab-ci.yml" in lines
    assert lines[-1].startswith("nothing to do")


@pytest.mark.parametrize(
    ("stages", "lacks"), [("[build, test]", False), ("[build]", True), ("\n  - build", True)]
)
def test_stages_without_the_jobs_own_are_noticed(on_gitlab, stages, lacks):
    """GitLab refuses the whole pipeline then."""
    lines = on_gitlab(f"stages: {stages}\nbuild:\n  script: make\n")
    assert any("the stage `test`" in line for line in lines) is lacks


def test_a_project_at_the_root_includes_the_job_too(on_gitlab):
    assert any('local: "/gate.gitlab-ci.yml"' in line for line in on_gitlab("a:\n", folder="."))


def test_a_pipeline_that_runs_the_gate_is_left(on_gitlab):
    """However it was edited since."""
    lines = on_gitlab("gate:\n  script: litegate list\n", folder=".")
    assert "left   .gitlab-ci.yml: it exists already, and differs" in lines
    assert not any("gate.gitlab-ci.yml" in line for line in lines)


def test_another_workflow_of_that_name_is_to_be_renamed(tmp_path):
    place = tmp_path / ".github" / "workflows" / "gate.yml"
    place.parent.mkdir(parents=True)
    place.write_text("on: push\n")
    line = _said(tmp_path, ".github")
    assert line.startswith("to do  .github/workflows/gate.yml: another workflow; rename it")


@pytest.mark.parametrize("name", ["a b", "a.b-c_1", "ä"])
def test_a_folders_name_may_have_many_characters(tmp_path, name):
    (tmp_path / ".git").mkdir()
    (tmp_path / name).mkdir()
    assert any(line.startswith("wrote  ../.github/workflows/gate") for line in put(tmp_path / name))


@pytest.mark.parametrize("name", ["a'b", "${{ x }}", "a:b", "[a]", "a#b", "-a", "a\nb"])
def test_a_folders_name_that_a_workflow_would_interpret_is_an_error(tmp_path, name):
    """No command of the workflow runs what a name holds."""
    (tmp_path / ".git").mkdir()
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="cannot be named in a workflow"):
        list(put(tmp_path / name))
    assert not _files(tmp_path)

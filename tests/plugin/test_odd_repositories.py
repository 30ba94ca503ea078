"""--against in odd repositories: the base is read as it was, or the run is refused, never new."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).resolve().parents[2] / "checks"
SIZE = "from litegate.measures.structure.size import size"
LITEGATE = Path(sys.executable).with_name("litegate")
KEPT = "require(size(candidate) <= budget.size)"
INI = "{section}\nlitegate_checks = qa\nlitegate_models = nets\n"
TOML = '{section}\nlitegate_checks = "qa"\nlitegate_models = "nets"\n'


@pytest.fixture
def repository(project):
    """A project with a limit, the check of it and the guard, not yet committed, on main."""

    def git(*args, cwd=project.path):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        allowed = ["-c", "protocol.file.allow=always"]
        argv = ["git", *identity, *allowed, *args]
        subprocess.run(argv, cwd=cwd, check=True, capture_output=True)

    def commit(text="base"):
        git("add", "-A")
        git("commit", "-qm", text)

    def branch():
        commit()
        git("checkout", "-qb", "topic")

    git("init", "-q", "-b", "main")
    (project.path / "tox.ini").unlink()
    (project.path / "pytest.ini").touch()
    (project.path / ".gitignore").write_text(".litegate\n__pycache__\n")
    shutil.copy(CHECKS / "test_weakened_limits.py", project.path / "checks")
    project.model("size=lg.kib(9)")
    project.check(KEPT, head=SIZE, args="candidate, budget, require")
    project.git, project.commit, project.branch = git, commit, branch
    return project


def _loosen(model):
    text = model.read_text()
    assert "lg.kib(9)" in text
    model.write_text(text.replace("lg.kib(9)", "lg.kib(10)"))


def _renamed(repository):
    (repository.path / "checks").rename(repository.path / "qa")
    (repository.path / "models").rename(repository.path / "nets")


def _against_main(repository, *args):
    return repository.run(*(args or ("checks/",)), "--against", "main")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.toml", TOML.format(section="[pytest]")),
        (".pytest.toml", TOML.format(section="[pytest]")),
        ("pytest.ini", INI.format(section="[pytest]")),
        (".pytest.ini", INI.format(section="[pytest]")),
        ("pyproject.toml", TOML.format(section="[tool.pytest]")),
        ("pyproject.toml", TOML.format(section="[tool.pytest.ini_options]")),
        ("tox.ini", INI.format(section="[pytest]")),
        ("setup.cfg", INI.format(section="[tool:pytest]")),
    ],
)
def test_the_base_is_found_whatever_file_holds_the_settings(repository, name, text):
    """The folders of another name are the base's too: what is loosened is told; commands agree."""
    _renamed(repository)
    (repository.path / "pytest.ini").unlink()
    (repository.path / name).write_text(text)
    repository.branch()
    _loosen(repository.path / "nets" / "tiny.py")
    done = _against_main(repository, "qa/")
    assert done.ret == 1, done.stdout.str()
    done.stdout.fnmatch_lines(["FAIL*tiny*weakened limits*"])
    listed = subprocess.run(
        [LITEGATE, "list", "--json", "--against", "main"],
        cwd=repository.path,
        capture_output=True,
        text=True,
        check=False,
    )
    (row,) = json.loads(listed.stdout)
    assert row["base_key"] == row["key"]


def test_folders_that_the_change_renames_are_followed(repository):
    """Each side is read by its own settings."""
    repository.branch()
    _renamed(repository)
    (repository.path / "pytest.ini").write_text(INI.format(section="[pytest]"))
    _loosen(repository.path / "nets" / "tiny.py")
    repository.commit("renamed")
    done = _against_main(repository, "qa/")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL*tiny*weakened limits*"])
    done.stdout.no_fnmatch_line("*is new*")


def test_folders_named_on_the_command_line_alone_are_refused(repository):
    """The base's own settings do not lead to its models: that makes none of them new."""
    _renamed(repository)
    repository.branch()
    done = _against_main(repository, "qa/", "--litegate-checks=qa", "--litegate-models=nets")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*the base * declares models, but not*", "*got: nets/tiny.py"])


def _moved(repository, *, commit):
    inner = repository.path / "ml"
    inner.mkdir()
    for name in ("models", "checks", "pytest.ini"):
        (repository.path / name).rename(inner / name)
    (repository.path / ".litegate").rename(inner / ".litegate")
    if commit:
        repository.commit("moved")
    return inner


@pytest.mark.parametrize("commit", [True, False])
def test_a_project_moved_to_another_folder_is_refused(repository, commit):
    """With its old place; committed or not."""
    repository.branch()
    inner = _moved(repository, commit=commit)
    _loosen(inner / "models" / "tiny.py")
    repository.pytester.chdir()
    done = _against_main(repository, "ml/checks")
    assert done.ret == 4, done.stdout.str()
    done.stderr.fnmatch_lines(
        ["*declares models, but not as a project in ml/*", "*got: models/tiny.py*"]
    )


def test_a_second_project_beside_another_is_new(repository):
    """One that stays where it was is none of its business."""
    repository.branch()
    inner = repository.path / "ml"
    for name in ("models", "checks", ".litegate"):
        shutil.copytree(repository.path / name, inner / name)
    (inner / "pytest.ini").touch()
    repository.commit("a second project")
    done = _against_main(repository, "ml/checks")
    assert done.ret == 0, done.stdout.str()
    done.stdout.fnmatch_lines(["*tiny-int8_qat is new*"])


def test_a_file_that_becomes_a_model_is_new(repository):
    """The base has the file, and no litegate in it yet."""
    model, aside = repository.path / "models" / "tiny.py", repository.path / "checks"
    text, checks = model.read_text(), aside.rename(repository.path / ".litegate" / "aside")
    model.write_text("def network(keras):\n    return keras.Sequential()\n")
    repository.branch()
    model.write_text(text)
    checks.rename(aside)
    done = _against_main(repository)
    assert done.ret == 0, done.stdout.str()
    done.stdout.fnmatch_lines(["*tiny-int8_qat is new*"])


@pytest.mark.parametrize("folder", ["models", "checks"])
def test_a_base_whose_folder_is_a_submodule_is_refused(repository, folder):
    """Its worktree has an empty folder there, which is not the same as no models."""
    outer, inner = repository.path / folder, repository.path / "origin"
    outer.rename(inner)
    repository.git("init", "-q", "-b", "main", cwd=inner)
    repository.git("add", "-A", cwd=inner)
    repository.git("commit", "-qm", "inner", cwd=inner)
    repository.git("submodule", "add", "-q", str(inner), folder)
    (repository.path / ".gitignore").write_text(".litegate\n__pycache__\norigin\n")
    repository.branch()
    done = _against_main(repository)
    assert done.ret == 4, done.stdout.str()
    done.stderr.fnmatch_lines([f"*{folder} is in a git submodule*", "*in the repository itself*"])


@pytest.mark.parametrize("folder", ["models", "checks"])
def test_a_base_whose_folder_leads_out_of_the_repository_is_refused(
    repository, folder, tmp_path_factory
):
    """No commit holds what lies there: both sides would be read from the same files."""
    outside = tmp_path_factory.mktemp("outside") / folder
    shutil.move(repository.path / folder, outside)
    (repository.path / folder).symlink_to(outside)
    repository.branch()
    done = _against_main(repository)
    assert done.ret == 4, done.stdout.str()
    done.stderr.fnmatch_lines([f"*{folder} is outside the repository*"])


def test_a_model_file_that_leads_out_of_the_repository_is_refused(repository, tmp_path_factory):
    """The folder is there, the file in it is a link."""
    outside = tmp_path_factory.mktemp("outside") / "tiny.py"
    model = repository.path / "models" / "tiny.py"
    shutil.move(model, outside)
    model.symlink_to(outside)
    repository.branch()
    done = _against_main(repository)
    assert done.ret == 4, done.stdout.str()
    done.stderr.fnmatch_lines(["*tiny.py is outside the repository*"])


def test_a_models_folder_that_moves_out_of_the_repository_is_compared(repository, tmp_path_factory):
    """The base has its own; only the head's lies elsewhere."""
    repository.branch()
    outside = tmp_path_factory.mktemp("outside") / "models"
    shutil.move(repository.path / "models", outside)
    (repository.path / "pytest.ini").write_text(f"[pytest]\nlitegate_models = {outside}\n")
    _loosen(outside / "tiny.py")
    done = _against_main(repository)
    assert done.ret == 1, done.stderr.str()
    done.stdout.fnmatch_lines(["FAIL*tiny*weakened limits*"])


def _beside(repository, folder):
    inner = repository.path / "ml"
    inner.mkdir()
    for name in {"models", "checks", "pytest.ini", ".litegate"} - {folder}:
        (repository.path / name).rename(inner / name)
    (inner / "pytest.ini").write_text(f"[pytest]\nlitegate_{folder} = ../{folder}\n")
    repository.branch()
    _loosen(next(repository.path.rglob("tiny.py")))


def test_a_models_folder_beside_the_project_is_compared(repository):
    """Out of the project and inside the repository: a commit holds it."""
    _beside(repository, "models")
    done = _against_main(repository, "ml/checks")
    assert done.ret == 1, done.stderr.str()
    done.stdout.fnmatch_lines(["FAIL*tiny*weakened limits*"])


def test_a_folder_of_checks_beside_the_project_is_refused(repository):
    """There, pytest's names of the checks lead to no file."""
    _beside(repository, "checks")
    done = _against_main(repository, "checks", "-c", "ml/pytest.ini")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*the checks folder is outside the project, in ../checks*"])


def test_folders_that_are_links_within_the_repository_are_compared(repository):
    """The base's links lead to the base's files."""
    _renamed(repository)
    (repository.path / "checks").symlink_to("qa")
    (repository.path / "models").symlink_to("nets")
    repository.branch()
    _loosen(repository.path / "nets" / "tiny.py")
    done = _against_main(repository)
    assert done.ret == 1, done.stdout.str()
    done.stdout.fnmatch_lines(["FAIL*tiny*weakened limits*"])


def test_a_store_that_a_commit_brings_decides_nothing(repository, monkeypatch):
    """With a base or in CI; the report of the run before is gone, so that nobody reads its pass."""
    repository.git("add", "-f", ".litegate/store/builds")
    report = repository.path / ".litegate" / "report" / "report.json"
    assert repository.run("checks/").ret == 0
    assert report.is_file()
    repository.git("commit", "-qm", "base")
    for args, ci in ((("checks/", "--against", "main"), ""), (("checks/",), "true")):
        monkeypatch.setenv("CI", ci)
        done = repository.run(*args)
        assert done.ret == 4
        done.stderr.fnmatch_lines(["*git tracks a file of the store: */builds/*.json"])
        assert not report.exists()
    monkeypatch.delenv("CI")
    repository.git("rm", "-rq", "--cached", ".litegate/store")
    repository.commit("mended")
    assert repository.run("checks/", "--against", "main").ret == 0

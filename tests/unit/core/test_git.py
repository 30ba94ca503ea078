"""Which files git knows."""

import subprocess

import pytest

from litegate.core.errors import ConfigError
from litegate.core.git import Commit, changed_files, commit_hash, repository_page, tracked_in


@pytest.fixture
def repository(tmp_path):
    """A repository with a folder `store` that nothing is known of; runs git in it."""
    project = tmp_path / "project"
    store = project / "st[o]re"
    (store / "builds").mkdir(parents=True)
    (store / "builds" / "k.json").write_text("{}")

    def git(*args, cwd=project):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *args], cwd=cwd, check=True, capture_output=True)

    git("init", "-q")
    git.store, git.project = store, project
    return git


def test_no_file_is_known_outside_of_git(tmp_path):
    assert tracked_in(tmp_path) is None
    assert tracked_in(tmp_path / "none") is None


def test_an_ignored_and_an_untracked_folder_are_unknown(repository):
    assert tracked_in(repository.store) is None
    (repository.project / ".gitignore").write_text("st*\n")
    repository("add", "-A")
    repository("commit", "-qm", "a")
    assert tracked_in(repository.store) is None
    assert tracked_in(repository.project) == repository.project / ".gitignore"


@pytest.mark.parametrize("commit", [False, True])
def test_a_file_that_is_added_by_force_is_known(repository, commit):
    """One is enough; its folder's name is no pattern."""
    (repository.project / ".gitignore").write_text("st*\n")
    repository("--literal-pathspecs", "add", "-f", "st[o]re")
    if commit:
        repository("commit", "-qm", "a")
    assert tracked_in(repository.store) == repository.store / "builds" / "k.json"
    assert tracked_in(repository.store / "builds") == repository.store / "builds" / "k.json"


def test_a_link_that_is_known_is_found(repository, tmp_path):
    """The store itself, or a folder above it."""
    outside = tmp_path / "outside"
    (outside / "store").mkdir(parents=True)
    (repository.project / "link").symlink_to(outside)
    assert tracked_in(repository.project / "link" / "store") is None
    repository("add", "-f", "link")
    for store in (repository.project / "link", repository.project / "link" / "store"):
        assert tracked_in(store) == repository.project / "link"


def test_a_link_into_known_files_is_found(repository):
    repository("--literal-pathspecs", "add", "st[o]re")
    (repository.project / ".git" / "info" / "exclude").write_text("link\n")
    (repository.project / "link").symlink_to(repository.store)
    assert tracked_in(repository.project / "link") == repository.project / "link/builds/k.json"


def test_files_of_a_submodule_are_known(repository, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "k.json").write_text("{}")
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a"]):
        repository(*args, cwd=inner)
    repository("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    assert tracked_in(repository.project / "sub") == repository.project / "sub" / "k.json"


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("https://github.com/o/n.git", "https://github.com/o/n"),
        ("https://user:secret@github.com/o/n", "https://github.com/o/n"),
        ("git@gitlab.com:group/sub/n.git", "https://gitlab.com/group/sub/n"),
        ("ssh://git@git.example.org:2222/o/n.git", "https://git.example.org/o/n"),
        ("../neighbour", ""),
        ("/srv/git/n.git", ""),
        ("file:///srv/n.git", ""),
        ("http://example.org/o/n", ""),
        ('https://example.org/o/n"><script>', ""),
        ("C:/repositories/n", ""),
    ],
)
def test_a_remote_has_a_page(repository, remote, page, monkeypatch):
    for variable in ("GITHUB_REPOSITORY", "CI_PROJECT_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert repository_page(repository.project) == ""
    repository("remote", "add", "origin", remote)
    assert repository_page(repository.project) == page


def test_ci_names_the_page_of_the_repository(repository, monkeypatch):
    monkeypatch.setenv("CI_PROJECT_URL", "https://gitlab.example.org/g/n")
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert repository_page(repository.project) == "https://gitlab.example.org/g/n"
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/n")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example.org")
    assert repository_page(repository.project) == "https://github.example.org/o/n"


def test_changed_files_are_those_of_the_whole_repository(repository):
    """Relative to the project, whatever git's settings: staged, removed, renamed, untracked."""
    names = ("ml/same.py", "ml/edited.py", "ml/removed.py", "ml/old.py", "app/\u00e9\n.c")
    for name in names:
        (repository.project / name).parent.mkdir(exist_ok=True)
        (repository.project / name).write_text(f"of the base: {name}\n")
    (repository.project / ".gitignore").write_text("ignored.py\n")
    repository("add", "-A")
    repository("commit", "-qm", "base")
    project = repository.project / "ml"
    base = Commit(sha=commit_hash(project, "HEAD"), ref="main")
    assert changed_files(project, base) == frozenset()
    repository("config", "diff.relative", "true")
    repository("config", "diff.renames", "copies")
    (project / "edited.py").write_text("committed\n")
    repository("commit", "-qam", "change")
    (project / "removed.py").unlink()
    repository("mv", "ml/old.py", "ml/new.py")
    (repository.project / "app/\u00e9\n.c").write_text("edited\n")
    cached = project / "__pycache__" / "edited.pyc"
    cached.parent.mkdir()
    for file in (cached, project / "ignored.py", project / "untracked.py"):
        file.write_text("new\n")
    own = {"edited.py", "removed.py", "old.py", "new.py", "untracked.py"}
    assert changed_files(project, base) == own | {"../app/\u00e9\n.c"}


def test_a_commit_that_is_gone_is_an_error(repository):
    """Nothing that differs would look like nothing."""
    with pytest.raises(ConfigError, match="git cannot compare the checkout with 0000000000"):
        changed_files(repository.project, Commit(sha="0" * 40, ref="main"))

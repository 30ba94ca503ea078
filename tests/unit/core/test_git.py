"""Which files git knows."""

import subprocess

import pytest

from litegate.core.git import repository_page, tracked_in


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

"""The base is a commit: the merge base with the target, found or refused with the remedy."""

import json
import subprocess

import pytest

from litegate.core.errors import ConfigError
from litegate.core.git import (
    Commit,
    ancestors,
    head,
    models_elsewhere,
    prefix,
    submodules,
    worktree,
)
from litegate.regression.base_commit import merge_base


class Repository:
    """A real repository; commits are named by their text."""

    def __init__(self, path):
        self.path = path
        self.git("init", "-q", "-b", "main", str(path), cwd=path.parent)

    def git(self, *args, cwd=None):
        """Run git; what it printed."""
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        done = subprocess.run(
            ["git", *identity, *args],
            cwd=cwd or self.path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, text):
        """Write `text` to the one file and commit it; the hash."""
        (self.path / "file").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit on main."""
    made = Repository(tmp_path / "origin")
    made.first = made.commit("first")
    return made


def _event(tmp_path, **payload):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(payload))
    return {"GITHUB_EVENT_PATH": str(path)}


def test_none_asks_nothing(tmp_path):
    """Not even for a repository."""
    assert merge_base("none", tmp_path) is None


def test_the_merge_base_counts_not_the_tip(repository):
    """Main moved on after the branch: what it gained there is not this change's doing."""
    repository.git("checkout", "-qb", "topic")
    repository.commit("topic")
    repository.git("checkout", "-q", "main")
    repository.commit("main moved on")
    repository.git("checkout", "-q", "topic")
    found = merge_base("main", repository.path)
    assert found.sha == repository.first
    assert found.ref == "main"


def test_auto_is_the_upstream_branch(repository, tmp_path):
    """On a laptop."""
    clone = Repository(tmp_path / "clone")
    clone.git("remote", "add", "origin", str(repository.path))
    clone.git("fetch", "-q")
    clone.git("checkout", "-qb", "topic", "--track", "origin/main")
    clone.commit("topic")
    found = merge_base("auto", clone.path, {})
    assert found.sha == repository.first
    assert found.ref == "auto: origin/main"


def test_auto_is_not_the_branchs_own_copy(repository, tmp_path):
    """A branch that was pushed and follows its copy is compared with the default branch."""
    clone = Repository(tmp_path / "clone")
    clone.git("remote", "add", "origin", str(repository.path))
    clone.git("fetch", "-q")
    clone.git("checkout", "-qb", "topic", "origin/main")
    clone.commit("topic")
    clone.git("update-ref", "refs/remotes/origin/topic", "HEAD")
    clone.git("branch", "-q", "--set-upstream-to", "origin/topic")
    assert merge_base("auto", clone.path, {}).ref == "auto: origin/topic", "no default branch known"
    clone.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    assert merge_base("auto", clone.path, {}).ref == "auto: origin/main"
    assert merge_base("auto", clone.path, {}).sha == repository.first


def test_auto_without_a_target_is_refused(repository):
    """The remedy is to name it: there is no origin/main without a remote."""
    with pytest.raises(ConfigError, match="finds no target branch") as error:
        merge_base("auto", repository.path, {})
    assert error.value.remedy == "name it: --against main"
    repository.git("remote", "add", "origin", "nowhere")
    with pytest.raises(ConfigError, match="name it: --against origin/main"):
        merge_base("auto", repository.path, {})


@pytest.mark.parametrize("kind", ["pull_request", "merge_group", "push to main", "push elsewhere"])
def test_auto_reads_githubs_event(repository, tmp_path, kind):
    """The pull request's target, the queue's base, what was pushed to, or the default branch."""
    repository.git("update-ref", "refs/remotes/origin/main", repository.first)
    default = {"repository": {"default_branch": "main"}}
    payload = {
        "pull_request": {"pull_request": {"base": {"sha": repository.first}}},
        "merge_group": {"merge_group": {"base_sha": repository.first}},
        "push to main": default | {"ref": "refs/heads/main", "before": repository.first},
        "push elsewhere": default | {"ref": "refs/heads/topic", "before": "0" * 40},
    }[kind]
    repository.commit("second")
    assert merge_base("auto", repository.path, _event(tmp_path, **payload)).sha == repository.first


def test_the_first_push_of_all_is_held_against_itself(repository, tmp_path):
    """There was nothing before it."""
    event = {"repository": {"default_branch": "main"}, "ref": "refs/heads/main", "before": "0" * 40}
    assert merge_base("auto", repository.path, _event(tmp_path, **event)).sha == repository.first


def test_an_unknown_ref_is_refused_with_the_remedy(repository):
    """Fetch it."""
    with pytest.raises(ConfigError, match=r"no commit origin/main[\s\S]*git fetch origin main"):
        merge_base("origin/main", repository.path)


def test_a_shallow_clone_is_refused_with_the_remedy(repository, tmp_path):
    """The merge base lies beyond what was fetched."""
    repository.git("checkout", "-qb", "topic")
    repository.commit("topic")
    url = f"file://{repository.path}"
    repository.git("clone", "-q", "--depth=1", "--branch=topic", url, str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    repository.git("fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main", cwd=clone)
    with pytest.raises(ConfigError, match="fetch-depth: 0"):
        merge_base("origin/main", clone)


def test_unrelated_histories_are_refused(repository):
    """There is no common ancestor."""
    repository.git("checkout", "-q", "--orphan", "other")
    repository.commit("other")
    with pytest.raises(ConfigError, match="no common ancestor"):
        merge_base("main", repository.path)


def test_a_folder_outside_git_is_refused(tmp_path, monkeypatch):
    """With what to do."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match="--against none"):
        merge_base("main", tmp_path)


def test_a_worktree_holds_the_commits_files_and_goes(repository):
    """Also for a project in a folder of its repository; uncommitted changes stay where they are."""
    (repository.path / "sub").mkdir()
    (repository.path / "sub" / "model").write_text("base")
    repository.commit("with a folder")
    commit = merge_base("main", repository.path)
    (repository.path / "sub" / "model").write_text("head")
    with worktree(repository.path / "sub", commit) as tree:
        assert (tree / "model").read_text() == "base"
    assert not tree.exists()
    assert (repository.path / "sub" / "model").read_text() == "head"
    assert len(repository.git("worktree", "list").splitlines()) == 1


MODEL = "import litegate as lg\n\n\n@lg.model(data=lg.datasets.digits())\ndef net(keras): ...\n"


@pytest.mark.parametrize("name", ["a.py", "one two.py", "gr\u00f6\u00dfe.py", "new\nline.py"])
def test_models_that_a_commit_leaves_behind_are_named(repository, name):
    """Gone from where they were, or there still and below the folder of models now."""
    old, models = repository.path / "nets", repository.path / "ml" / "models"
    old.mkdir()
    (old / name).write_text(MODEL)
    (old / "plain.py").write_text("import litegate\n")
    (old / "other.py").write_text(MODEL.replace("litegate", "otherlib"))
    sha = repository.commit("with a model")
    commit = Commit(sha=sha, ref="main")
    models.mkdir(parents=True)
    assert models_elsewhere(models.parent, commit, models) == []
    assert models_elsewhere(models.parent, commit, old) == [f"nets/{name}"]
    (old / name).rename(models / name)
    assert models_elsewhere(models.parent, commit, models) == [f"nets/{name}"]
    assert prefix(models.parent) == "ml/"


@pytest.mark.parametrize("call", ["lg.prebuilt(", "trained("])
def test_models_out_of_files_are_models_elsewhere_as_any(repository, call):
    (repository.path / "nets").mkdir()
    (repository.path / "nets" / "a.py").write_text(f"import litegate as lg\n\nnet = {call})\n")
    commit = Commit(sha=repository.commit("with a model"), ref="main")
    models = repository.path / "models"
    models.mkdir()
    (repository.path / "nets" / "a.py").rename(models / "a.py")
    assert models_elsewhere(repository.path, commit, models) == ["nets/a.py"]


def test_submodules_are_found_from_any_folder(repository, tmp_path):
    """Of the whole repository, by their real path; their own files do not count."""
    assert submodules(repository.path) == []
    inner = Repository(tmp_path / "inner")
    inner.commit("first")
    allowed = ("-c", "protocol.file.allow=always")
    repository.git(*allowed, "submodule", "add", "-q", str(inner.path), "deep/one two")
    (repository.path / "project").mkdir()
    found = [repository.path.resolve() / "deep" / "one two"]
    assert submodules(repository.path / "project") == found


def test_the_head_is_the_commit_and_whether_its_files_are_others(repository):
    found = head(repository.path)
    assert (found.commit, found.subject, found.changed) == (repository.first, "first", False)
    assert found.time == int(repository.git("log", "-1", "--format=%ct"))
    (repository.path / "file").write_text("other")
    assert head(repository.path).changed
    repository.git("checkout", "-q", "file")
    (repository.path / "new").write_text("")
    assert head(repository.path).changed


def test_a_head_elsewhere_in_the_repository_is_not_this_projects(repository):
    (repository.path / "project").mkdir()
    (repository.path / "other").write_text("")
    assert not head(repository.path / "project").changed


def test_no_head_outside_of_git_and_before_the_first_commit(tmp_path):
    assert head(tmp_path) is None
    assert ancestors(tmp_path, 9) is None
    empty = Repository(tmp_path / "empty")
    assert head(empty.path) is None


def test_a_subject_in_any_bytes_is_text(repository):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    blob = b"caf\xe9 \x1b[31m<b>"
    subprocess.run(
        ["git", *identity, "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"],
        cwd=repository.path,
        input=blob,
        check=True,
    )
    found = head(repository.path)
    assert found.subject.startswith("caf")
    found.subject.encode("utf-8")


def test_ancestors_are_the_newest_first(repository):
    second = repository.commit("second")
    assert ancestors(repository.path, 9) == [second, repository.first]
    assert ancestors(repository.path, 1) == [second]


def test_a_shallow_clone_does_not_know_its_ancestors(repository, tmp_path):
    repository.commit("second")
    shallow = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth=1", repository.path.as_uri(), str(shallow))
    assert ancestors(shallow, 9) is None

"""Query git for the commit that a change is compared with, its files, and the checkout."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from shutil import which
from typing import Any, final

from litegate.core.child_process import Finished, run
from litegate.core.errors import ConfigError

NONE, AUTO = "none", "auto"
_NO_COMMIT = "0" * 40
"""GitHub's value of `before` for the first push of a new branch."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The commit that a change is compared with."""

    sha: str
    ref: str
    """The ref as it was given and resolved: "main", "auto: origin/main"."""

    @property
    def short(self) -> str:
        """Abbreviated hash."""
        return self.sha[:10]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit that is checked out."""

    commit: str
    subject: str
    """First line of the commit message; untrusted text."""
    time: int
    """Time of the commit in seconds since 1970."""
    changed: bool
    """True if files of the project differ from the commit."""


def head(project: Path) -> Head | None:
    """Return the commit that is checked out; None outside of git or before the first commit."""
    try:
        log = _git(project, "log", "-1", "--format=%H%n%ct%n%s")
        changed = _git(project, "status", "--porcelain", "--", ".")
    except ConfigError:
        return None
    if not log:
        return None
    commit, time, *rest = log.split("\n", 2)
    subject = "".join(rest).encode("utf-8", "replace").decode()
    return Head(commit=commit, subject=subject, time=int(time), changed=changed != "")


def ancestors(project: Path, max_count: int) -> list[str] | None:
    """Return the hashes of HEAD and its ancestors, newest first; None in a shallow clone."""
    try:
        if _git(project, "rev-parse", "--is-shallow-repository") != "false":
            return None
        hashes = _git(project, "rev-list", f"--max-count={max_count}", "HEAD")
    except ConfigError:
        return None
    return None if hashes is None else hashes.split()


def merge_base(against: str, project: Path, env: Mapping[str, str] | None = None) -> Commit | None:
    """Return the merge base of HEAD and a ref; None for `none`.

    With `auto` the ref is the target branch of GitHub's event, the upstream branch, or origin/HEAD.

    Raises ConfigError with a remedy for a folder outside git, an unknown ref, a shallow clone
    without the merge base, unrelated histories, or if `auto` finds no branch.
    """
    if against == NONE:
        return None
    if _git(project, "rev-parse", "--show-toplevel") is None:
        raise ConfigError(
            f"{project} is not in a git repository, so there is no base",
            remedy="run inside one, or with --against none",
        )
    ref = _auto_ref(project, os.environ if env is None else env) if against == AUTO else against
    if _git(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}") is None:
        raise ConfigError(
            f"--against {against}: git knows no commit {ref}",
            remedy=_shallow_remedy(project)
            or _suggestion(project, ref)
            or f"fetch it: git fetch origin {ref.removeprefix('origin/')}",
        )
    sha = _git(project, "merge-base", "HEAD", ref)
    if sha is None:
        raise ConfigError(
            f"HEAD and {ref} have no common commit here",
            remedy=_shallow_remedy(project) or "name a ref that HEAD branched off from",
        )
    return Commit(sha=sha, ref=f"{AUTO}: {ref}" if against == AUTO else ref)


def resolve(ref: str, project: Path) -> Commit | None:
    """Return the commit of a ref; None for `none`. Raises ConfigError for an unknown ref."""
    if ref == NONE:
        return None
    sha = _git(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if sha is None:
        raise ConfigError(
            f"--anchor {ref}: git knows no such commit in {project}",
            remedy=_shallow_remedy(project)
            or _suggestion(project, ref)
            or f"fetch it: git fetch origin tag {ref}",
        )
    return Commit(sha=sha, ref=ref)


def _suggestion(project: Path, ref: str) -> str:
    """Suggest a branch or tag with a similar name; empty if there is none."""
    refs = _git(project, "for-each-ref", "--format=%(refname:short)") or ""
    near = get_close_matches(ref, refs.splitlines(), 1)
    return f"did you mean {near[0]}?" if near else ""


def _shallow_remedy(project: Path) -> str:
    if _git(project, "rev-parse", "--is-shallow-repository") != "true":
        return ""
    return "the clone is shallow: git fetch --unshallow, or fetch-depth: 0 for actions/checkout"


def _auto_ref(project: Path, env: Mapping[str, str]) -> str:
    ref = (
        _from_github(env)
        or _git(project, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
        or _git(project, "rev-parse", "--abbrev-ref", "origin/HEAD")
    )
    if not ref:
        raise ConfigError(
            "--against auto finds no target branch",
            expected="a GitHub event, an upstream branch, or origin/HEAD",
            remedy="name it: --against origin/main",
        )
    return ref


def _from_github(env: Mapping[str, str]) -> str:
    """Return the ref that GitHub's event compares with; "" outside of GitHub Actions."""
    path = env.get("GITHUB_EVENT_PATH", "")
    if not path:
        return ""
    try:
        event: Mapping[str, Any] = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"GitHub's event {path} cannot be read", got=str(error)) from error
    if "pull_request" in event:
        return str(event["pull_request"]["base"]["sha"])
    if "merge_group" in event:
        return str(event["merge_group"]["base_sha"])
    return _pushed(event)


def _pushed(event: Mapping[str, Any]) -> str:
    """Return the commit before a push to the default branch; the default branch for other pushes.

    A first push has no commit before it: HEAD compares it with itself.
    """
    default = str(event.get("repository", {}).get("default_branch", ""))
    before = str(event.get("before", ""))
    if event.get("ref") == f"refs/heads/{default}":
        return before if before and before != _NO_COMMIT else "HEAD"
    return f"origin/{default}" if default else ""


def prefix(project: Path) -> str:
    """Return the project's path in its repository, as "ml/"; empty at the top or outside of git."""
    return _git(project, "rev-parse", "--show-prefix") or ""


def repository_root(project: Path) -> Path:
    """Return the top folder of a project's repository. Raises ConfigError outside of git."""
    root = _git(project, "rev-parse", "--show-toplevel")
    if root is None:
        raise ConfigError(f"{project} is not in a git repository")
    return Path(root)


def submodules(project: Path) -> list[Path]:
    """Return the folders of submodules, whose files are not part of the repository's commits."""
    index = _git(project, "ls-files", "--stage", "--full-name", "-z", ":/") or ""
    # 160000 is git's file mode of a submodule.
    names = (entry.partition("\t")[2] for entry in index.split("\0") if entry[:6] == "160000")
    return [(repository_root(project) / name).resolve() for name in names]


def is_ignored(file: Path) -> bool:
    """Return True if the repository's .gitignore excludes a file; False outside of git."""
    if which("git") is None:
        return False
    return _git(file.parent, "check-ignore", "-q", "--", file.name) is not None


def models_elsewhere(project: Path, commit: Commit, models: Path) -> list[str]:
    """List files that declare a model in a commit and today are gone or below `models`."""
    root = repository_root(project).resolve()
    declares = r"^@.*\bmodel\b|\b(prebuilt|trained)\("
    patterns = ("-e", declares, "-e", r"(import|from) +litegate\b")
    matches = _git(
        project, "grep", "-lzE", "--full-name", "--all-match", *patterns, commit.sha, "--", ":/*.py"
    )
    names = [match.partition(":")[2] for match in (matches or "").split("\0") if match]
    folder = models.resolve()
    return [n for n in names if not (root / n).exists() or (root / n).is_relative_to(folder)]


@contextmanager
def worktree(project: Path, commit: Commit) -> Iterator[Path]:
    """Check out `commit` into a temporary worktree and yield the project's folder in it."""
    path_in_repository = project.resolve().relative_to(repository_root(project).resolve())
    with tempfile.TemporaryDirectory(prefix="litegate-base-") as folder:
        tree = Path(folder).resolve() / "tree"
        completed = _run(project, "worktree", "add", "--detach", "--force", str(tree), commit.sha)
        if completed.exit_code:
            raise ConfigError(
                f"git cannot lay out the base {commit.short}", got=completed.stderr.strip()
            )
        try:
            yield tree / path_in_repository
        finally:
            _run(project, "worktree", "remove", "--force", str(tree))


def _git(project: Path, *args: str) -> str | None:
    """Return the output of git; None if it fails."""
    completed = _run(project, *args)
    return completed.stdout.strip() if completed.exit_code == 0 else None


def _run(project: Path, *args: str) -> Finished:
    try:
        return run(
            ["git", "-C", str(project), *args],
            env={k: v for k, v in os.environ.items() if k not in _GIT_ENV},
            errors="surrogateescape",  # names and messages may have any encoding
        )
    except OSError as error:
        raise ConfigError("git cannot be run", got=str(error), remedy="install git") from error


_GIT_ENV = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables that git sets for its hooks, and that would redirect commands in a worktree."""

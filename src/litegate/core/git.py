"""What litegate asks of git: which commit a change is held against, and that commit's files."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from shutil import which
from typing import Any, final

from litegate.core.errors import ConfigError

NONE, AUTO = "none", "auto"
_NOTHING = "0" * 40
"""What GitHub names as the commit before a new branch's first push."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The commit that a change is held against."""

    sha: str
    ref: str
    """What was asked for, and how it was understood: "main", "auto: origin/main"."""

    @property
    def short(self) -> str:
        """The hash as people write it."""
        return self.sha[:10]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit that is checked out."""

    commit: str
    subject: str
    """The first line of its message, as whoever wrote it chose it."""
    time: int
    """When it was committed, in seconds since 1970."""
    changed: bool
    """Whether the files of the project are other than the commit has them."""


def head(project: Path) -> Head | None:
    """What is checked out, or None outside of git and before the first commit."""
    try:
        told = _git(project, "log", "-1", "--format=%H%n%ct%n%s")
        changed = _git(project, "status", "--porcelain", "--", ".")
    except ConfigError:
        return None
    if not told:
        return None
    commit, time, *subject = told.split("\n", 2)
    said = "".join(subject).encode("utf-8", "replace").decode()
    return Head(commit=commit, subject=said, time=int(time), changed=changed != "")


def ancestors(project: Path, most: int) -> list[str] | None:
    """HEAD and the commits before it, the newest first; None where git does not know them all."""
    try:
        is_whole = _git(project, "rev-parse", "--is-shallow-repository") == "false"
        found = _git(project, "rev-list", f"--max-count={most}", "HEAD") if is_whole else None
    except ConfigError:
        return None
    return None if found is None else found.split()


def merge_base(against: str, project: Path, env: Mapping[str, str] | None = None) -> Commit | None:
    """The merge base of HEAD with a ref, with the target that `auto` finds, or None for `none`.

    ConfigError, with the remedy, for a folder outside git, an unknown ref, a shallow clone that
    does not reach the merge base, unrelated histories, or an `auto` that finds no target.
    """
    if against == NONE:
        return None
    if _git(project, "rev-parse", "--show-toplevel") is None:
        raise ConfigError(
            f"{project} is not in a git repository, so there is no base",
            remedy="run inside one, or with --against none",
        )
    target = _target(project, os.environ if env is None else env) if against == AUTO else against
    shown = f"{AUTO}: {target}" if against == AUTO else target
    if _git(project, "rev-parse", "--verify", "--quiet", f"{target}^{{commit}}") is None:
        raise ConfigError(
            f"--against {against}: git knows no commit {target}",
            remedy=_deepen(project)
            or _meant(project, target)
            or f"fetch it: git fetch origin {target.removeprefix('origin/')}",
        )
    sha = _git(project, "merge-base", "HEAD", target)
    if sha is None:
        raise ConfigError(
            f"HEAD and {target} have no common commit here",
            remedy=_deepen(project) or "name a ref that HEAD branched off from",
        )
    return Commit(sha=sha, ref=shown)


def pinned(ref: str, project: Path) -> Commit | None:
    """The commit that a ref names, or None for `none`. ConfigError for an unknown ref."""
    if ref == NONE:
        return None
    sha = _git(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if sha is None:
        raise ConfigError(
            f"--anchor {ref}: git knows no such commit in {project}",
            remedy=_deepen(project)
            or _meant(project, ref)
            or f"fetch it: git fetch origin tag {ref}",
        )
    return Commit(sha=sha, ref=ref)


def _meant(project: Path, ref: str) -> str:
    """A branch or tag whose name is near."""
    listed = _git(project, "for-each-ref", "--format=%(refname:short)") or ""
    near = get_close_matches(ref, listed.splitlines(), 1)
    return f"did you mean {near[0]}?" if near else ""


def _deepen(project: Path) -> str:
    if _git(project, "rev-parse", "--is-shallow-repository") != "true":
        return ""
    return "the clone is shallow: git fetch --unshallow, or fetch-depth: 0 for actions/checkout"


def _target(project: Path, env: Mapping[str, str]) -> str:
    found = _from_github(env) or _git(
        project, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"
    )
    found = found or _git(project, "rev-parse", "--abbrev-ref", "origin/HEAD")
    if not found:
        raise ConfigError(
            "--against auto finds no target branch",
            expected="a GitHub event, an upstream branch, or origin/HEAD",
            remedy="name it: --against origin/main",
        )
    return found


def _from_github(env: Mapping[str, str]) -> str:
    """The target that GitHub's event names; "" outside GitHub Actions."""
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
    """A push to the default branch is held against what was there; another against that branch."""
    default = str(event.get("repository", {}).get("default_branch", ""))
    before = str(event.get("before", ""))
    if event.get("ref") == f"refs/heads/{default}":
        return before if before and before != _NOTHING else "HEAD"
    return f"origin/{default}" if default else ""


def prefix(project: Path) -> str:
    """Where a project lies in its repository, as "ml/"; empty at the top, and outside of one."""
    return _git(project, "rev-parse", "--show-prefix") or ""


def top(project: Path) -> Path:
    """The top of the repository that holds a project. ConfigError where none does."""
    found = _git(project, "rev-parse", "--show-toplevel")
    if found is None:
        raise ConfigError(f"{project} is not in a git repository")
    return Path(found)


def submodules(project: Path) -> list[Path]:
    """The folders of the repository that are submodules: no commit of it holds their files."""
    listed = _git(project, "ls-files", "--stage", "--full-name", "-z", ":/") or ""
    names = (entry.partition("\t")[2] for entry in listed.split("\0") if entry[:6] == "160000")
    return [(top(project) / name).resolve() for name in names]


def ignores(file: Path) -> bool:
    """Whether a repository's rules keep a file out of its commits; False outside of one.

    Nor is there one where there is no git.
    """
    if which("git") is None:
        return False
    listed = _git(file.parent, "check-ignore", "-q", "--", file.name)
    return listed is not None


def models_elsewhere(project: Path, commit: Commit, models: Path) -> list[str]:
    """List files that declare a model in a commit and today are gone or below `models`."""
    here = top(project).resolve()
    declares = r"^@.*\bmodel\b|\b(prebuilt|trained)\("
    patterns = ("-e", declares, "-e", r"(import|from) +litegate\b")
    found = _git(
        project, "grep", "-lzE", "--full-name", "--all-match", *patterns, commit.sha, "--", ":/*.py"
    )
    names = [one.partition(":")[2] for one in (found or "").split("\0") if one]
    folder = models.resolve()
    return [n for n in names if not (here / n).exists() or (here / n).is_relative_to(folder)]


@contextmanager
def worktree(project: Path, commit: Commit) -> Iterator[Path]:
    """The files of `commit`, in a temporary folder, as `project` lies in its repository."""
    within = project.resolve().relative_to(top(project).resolve())
    with tempfile.TemporaryDirectory(prefix="litegate-base-") as folder:
        place = Path(folder).resolve() / "tree"
        added = _run(project, "worktree", "add", "--detach", "--force", str(place), commit.sha)
        if added.returncode:
            raise ConfigError(
                f"git cannot lay out the base {commit.short}", got=added.stderr.strip()
            )
        try:
            yield place / within
        finally:
            _run(project, "worktree", "remove", "--force", str(place))


def _git(project: Path, *args: str) -> str | None:
    """What git prints, or None where it fails."""
    done = _run(project, *args)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 arguments are a list; refs are verified by git
            ["git", "-C", str(project), *args],  # noqa: S607 the user's own git
            capture_output=True,
            text=True,
            errors="surrogateescape",  # of names and messages in any encoding
            check=False,
            env={k: v for k, v in os.environ.items() if k not in _GIT_ENV},
        )
    except OSError as error:
        raise ConfigError("git cannot be run", got=str(error), remedy="install git") from error


_GIT_ENV = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""What a git hook that runs us sets, and what would misdirect the worktree's commands."""

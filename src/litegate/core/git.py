"""Query git for the commit that a change is compared with, its files, and the checkout."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import final

from litegate.core.child_process import Finished, run
from litegate.core.errors import ConfigError


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
        return self.sha[:10]  # git's seven become ambiguous in large repositories


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
    repository: str
    """The repository's page, to link to commits; empty if unknown."""


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
    return Head(
        commit=commit,
        subject=subject,
        time=int(time),
        changed=changed != "",
        repository=repository_page(project),
    )


_REMOTE = re.compile(
    r"(?:(?:https|ssh)://)?(?:[^@/\s]*@)?([\w.-]+)(?::\d+/|[:/])([\w./~-]+?)(?:\.git)?/?"
)
"""A remote's host and path. A user name and a password, which it may contain, are left out."""


def repository_page(project: Path) -> str:
    """Return the address of the repository on GitHub, GitLab or alike; empty if unknown.

    From the variables of GitHub Actions or GitLab CI, else from the remote "origin". A remote
    without a host, or over http, has no page.
    """
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"
    if page := os.environ.get("CI_PROJECT_URL"):
        return page
    match = _origin(project)
    is_host = match and "." in match[1].strip(".")
    return f"https://{match[1]}/{match[2]}" if match and is_host else ""


def origin_host(project: Path) -> str:
    """Return the host of the remote "origin"; empty without one, and if git is not installed."""
    try:
        match = _origin(project)
    except ConfigError:
        return ""
    return match[1] if match else ""


def _origin(project: Path) -> re.Match[str] | None:
    return _REMOTE.fullmatch(_git(project, "remote", "get-url", "origin") or "")


def commit_hash(project: Path, name: str) -> str | None:
    """Return the hash of a commit by any name that git knows; None for an unknown one."""
    # After --end-of-options a name that begins with a dash is no option of git.
    arguments = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return _git(project, "rev-parse", *arguments)


def committed_text(project: Path, commit: Commit, name: str) -> str | None:
    """Return the text of a project's file in a commit; None if the commit has no such file."""
    return _git(project, "show", f"{commit.sha}:./{name}")


def ancestors(project: Path, max_count: int) -> list[str] | None:
    """Return the hashes of HEAD and its ancestors, newest first; None in a shallow clone."""
    try:
        if _git(project, "rev-parse", "--is-shallow-repository") != "false":
            return None
        hashes = _git(project, "rev-list", f"--max-count={max_count}", "HEAD")
    except ConfigError:
        return None
    return None if hashes is None else hashes.split()


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


def tracked_in(folder: Path) -> Path | None:
    """Return a file below a folder, or a link that leads to it, that git knows; else None.

    Files that are staged count, as do those of the repository in which a link ends.
    """
    if which("git") is None:
        return None
    for path in (folder, *folder.parents):
        if path.is_symlink() and _tracked(path.parent, path.name):
            return path
    files = _tracked(folder.resolve(), ".") if folder.is_dir() else []
    return folder / files[0] if files else None


def tracked_files(folder: Path) -> list[str]:
    """List the files that git tracks below a folder, relative to it.

    Raises ConfigError outside of git.
    """
    repository_root(folder)
    return _tracked(folder, ".")


def changed_files(project: Path, commit: Commit) -> frozenset[str]:
    """Return the files of the whole repository that differ from a commit, relative to the project.

    Files that git does not track count too, unless it ignores them or Python has cached them.
    Raises ConfigError if git cannot compare.
    """
    flags = ("--name-only", "--no-renames", "--no-relative", "--ignore-submodules=none", "-z")
    excluded = ("--others", "--exclude-standard", "--exclude=__pycache__/")
    lists = (
        _git(project, "diff", *flags, commit.sha, "--", ":/"),
        _git(project, "ls-files", *excluded, "--full-name", "-z", "--", ":/"),
    )
    if None in lists:
        raise ConfigError(f"git cannot compare the checkout with {commit.short}")
    names = {name for names in lists for name in (names or "").split("\0") if name}
    return frozenset(
        Path(os.path.relpath(name, prefix(project) or ".")).as_posix() for name in names
    )


def _tracked(folder: Path, name: str) -> list[str]:
    """List the files of the index below a path, relative to `folder`."""
    # Literal, since a * or a [ in a folder's name would be a pattern; -z, since git quotes unusual
    # names otherwise.
    files = _git(folder, "--literal-pathspecs", "ls-files", "-z", "--", name) or ""
    return [file for file in files.split("\0") if file]


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
        # Detached, so that no branch is made or taken.
        completed = _run(project, "worktree", "add", "--detach", str(tree), commit.sha)
        if completed.exit_code:
            raise ConfigError(
                f"git cannot check out the base {commit.short}", got=completed.stderr.strip()
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
        raise ConfigError("git cannot be started", got=str(error), remedy="install git") from error


_GIT_ENV = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables that git sets for its hooks, and that would redirect commands in a worktree."""

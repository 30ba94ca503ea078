"""Find the commit that a change is compared with: the merge base of `--against`, or the anchor."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.git import Commit, _git, commit_hash

NONE, AUTO = "none", "auto"


_NO_COMMIT = "0" * 40
"""GitHub's value of `before` for the first push of a new branch."""


def merge_base(against: str, project: Path, env: Mapping[str, str] | None = None) -> Commit | None:
    """Return the merge base of HEAD and a ref; None for `none`.

    With `auto` the ref is the target branch of GitHub's event, the upstream branch unless it is the
    branch's own copy, or origin/HEAD.

    Raises ConfigError with a remedy for a folder outside git, an unknown ref, a shallow clone
    without the merge base, unrelated histories, or if `auto` finds no branch.
    """
    if against == NONE:
        return None
    if _git(project, "rev-parse", "--show-toplevel") is None:
        raise ConfigError(
            f"{project} is not in a git repository, so there is no base",
            remedy="run in a git repository, or use --against none",
        )
    ref = _auto_ref(project, os.environ if env is None else env) if against == AUTO else against
    tip = commit_hash(project, ref)
    if tip is None:
        raise ConfigError(
            f"--against {against}: git knows no commit {ref}",
            remedy=_shallow_remedy(project)
            or _suggestion(project, ref)
            or f"fetch it: git fetch origin {ref.removeprefix('origin/')}",
        )
    sha = _git(project, "merge-base", "HEAD", tip)
    if sha is None:
        raise ConfigError(
            f"HEAD and {ref} have no common ancestor in this clone",
            remedy=_shallow_remedy(project) or "name a ref that shares history with HEAD",
        )
    return Commit(sha=sha, ref=f"{AUTO}: {ref}" if against == AUTO else ref)


def resolve(ref: str, project: Path) -> Commit | None:
    """Return the commit of a ref; None for `none`. Raises ConfigError for an unknown ref."""
    if ref == NONE:
        return None
    sha = commit_hash(project, ref)
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
    ref = _from_github(env) or _from_branches(project)
    if not ref:
        raise ConfigError(
            "--against auto finds no target branch",
            expected="a GitHub event, an upstream branch, or origin/HEAD",
            remedy=f"name it: --against {'origin/main' if _git(project, 'remote') else 'main'}",
        )
    return ref


def _from_branches(project: Path) -> str | None:
    """Return the upstream branch, else the remote's default branch."""

    def name_of(*words: str) -> str | None:
        return _git(project, "rev-parse", "--abbrev-ref", *words)

    upstream, default = name_of("--symbolic-full-name", "@{upstream}"), name_of("origin/HEAD")
    # A branch that was pushed follows its own copy, which is nothing to compare it with.
    is_own_copy = upstream == f"origin/{name_of('HEAD')}"
    return (default if is_own_copy else upstream) or upstream or default


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

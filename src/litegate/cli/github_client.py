"""What is written to GitHub: one sticky comment, and the badge's branch. Through its own `gh`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from litegate.core.errors import ConfigError, LitegateError

MARK = "<!-- litegate -->"
"""Stands in the comment that is written again and again, and is not shown."""
BOT = "github-actions[bot]"
BADGE_BRANCH = "litegate-badge"
"""Holds one commit with the badge's JSON, and nothing else."""


class GitHubError(LitegateError):
    """GitHub refused, or `gh` could not ask it."""


def pull_request_of(event: Mapping[str, Any], repository: str) -> int | None:
    """The number of the open pull request whose head a finished workflow run was of.

    Taken from GitHub's event and answer alone, never from what the run left behind. None where the
    branch has moved on. Raises ConfigError for an event that tells of no workflow run.
    """
    try:
        run = event["workflow_run"]
        sha = run["head_sha"]
        head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    except (KeyError, TypeError) as error:
        raise ConfigError(
            "GitHub's event tells of no workflow run",
            expected="an event of workflow_run",
            remedy="start this from a workflow as docs/github.md shows it",
        ) from error
    found = _api("GET", f"repos/{repository}/pulls", fields={"state": "open", "head": head})
    return next((int(pull["number"]) for pull in found if pull["head"]["sha"] == sha), None)


def post(body: str, repository: str, number: int) -> None:
    """Write the pull request's one comment of ours, or write it anew."""
    comments = f"repos/{repository}/issues/{number}/comments"
    marked = {"body": f"{MARK}\n{body}"}
    mine = [one for one in _pages(comments) if _is_mine(one)]
    if mine:
        _api("PATCH", f"repos/{repository}/issues/comments/{int(mine[-1]['id'])}", body=marked)
    else:
        _api("POST", comments, body=marked)


def _is_mine(comment: Mapping[str, Any]) -> bool:
    """Anybody may write the mark; only the workflow's own account is ours."""
    user = comment.get("user") or {}
    return user.get("login") == BOT and str(comment.get("body", "")).startswith(MARK)


def publish(badge: Mapping[str, Any], repository: str, name: str) -> None:
    """Make `badge` the only file of the badge's branch; no other branch is touched."""
    git = f"repos/{repository}/git"
    file = {"path": name, "mode": "100644", "type": "blob", "content": json.dumps(badge)}
    tree = _api("POST", f"{git}/trees", body={"tree": [file]})["sha"]
    commit = {"message": f"Badge: {badge['message']}", "tree": tree, "parents": []}
    sha = _api("POST", f"{git}/commits", body=commit)["sha"]
    try:
        moved = {"sha": sha, "force": True}
        _api("PATCH", f"{git}/refs/heads/{BADGE_BRANCH}", body=moved)
    except GitHubError:
        _api("POST", f"{git}/refs", body={"ref": f"refs/heads/{BADGE_BRANCH}", "sha": sha})


def _pages(path: str) -> list[Any]:
    pages = json.loads(_gh("api", "--paginate", "--slurp", path))
    return [one for page in pages for one in page]


def _api(
    method: str,
    path: str,
    *,
    fields: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    args = ["api", "--method", method, path]
    for name, value in (fields or {}).items():
        args += ["--raw-field", f"{name}={value}"]
    if body is not None:
        return json.loads(_gh(*args, "--input", "-", given=json.dumps(body)))
    return json.loads(_gh(*args))


def _gh(*args: str, given: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 arguments are a list, no shell reads them
            ["gh", *args],  # noqa: S607 the user's own gh
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitHubError("gh cannot be run", got=str(error), remedy="install it") from error
    if done.returncode:
        raise GitHubError(
            f"gh {args[0]} {args[-1] if not given else args[3]} failed",
            got=done.stderr.strip()[:2000],
            remedy="give GH_TOKEN a token that may do this",
        )
    return done.stdout

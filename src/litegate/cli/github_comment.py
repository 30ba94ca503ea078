"""Write to GitHub through `gh`: the sticky comment and the badge's branch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from litegate.core.child_process import ChildError, run
from litegate.core.errors import ConfigError, LitegateError

_MARK = "<!-- litegate{} -->"
"""Marks the comment that is updated, with the project's folder; GitHub does not display it."""
BOT = "github-actions[bot]"
BADGE_BRANCH = "litegate-badge"
"""The branch of one commit with the badge's JSON and nothing else."""


class GitHubError(LitegateError):
    """GitHub refused a request, or `gh` could not be run."""


def pull_request_of(event: Mapping[str, Any], repository: str) -> int | None:
    """Return the number of the open pull request that a finished workflow run judged.

    Only GitHub's event and API are trusted, never a file that the run wrote: a pull request could
    name another one in it. None if the branch has moved on. Raises ConfigError if the event is not
    of a workflow run.
    """
    try:
        run = event["workflow_run"]
        sha = run["head_sha"]
        head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    except (KeyError, TypeError) as error:
        raise ConfigError(
            "GitHub's event has no workflow run",
            expected="a workflow_run event",
            remedy="run this in a workflow like the one in docs/how-to/github_workflow.md",
        ) from error
    pulls = _api("GET", f"repos/{repository}/pulls", fields={"state": "open", "head": head})
    return next((int(pull["number"]) for pull in pulls if pull["head"]["sha"] == sha), None)


def post(body: str, repository: str, number: int, folder: str = "") -> None:
    """Create our comment on the pull request, or update it.

    `folder` is the project's folder in its repository: each project there has its own comment.
    """
    comments = f"repos/{repository}/issues/{number}/comments"
    mark = _mark(folder)
    marked = {"body": f"{mark}\n{body}"}
    ours = [comment for comment in _paginated(comments) if _is_ours(comment, mark)]
    if ours:  # the last, which a reader sees; there are several only after two runs at once
        _api("PATCH", f"repos/{repository}/issues/comments/{int(ours[-1]['id'])}", body=marked)
    else:
        _api("POST", comments, body=marked)


def _mark(folder: str) -> str:
    # Hashed: the folder's name comes from a report, which could end the comment's mark early. 64
    # bits of a hash do not collide by accident.
    return _MARK.format(f" {sha256(folder.encode()).hexdigest()[:16]}" if folder else "")


def _is_ours(comment: Mapping[str, Any], mark: str) -> bool:
    """Return True for a marked comment of the workflow's account; anybody can write the mark."""
    user = comment.get("user") or {}
    return user.get("login") == BOT and str(comment.get("body", "")).startswith(mark)


def publish(badge: Mapping[str, Any], repository: str, name: str) -> None:
    """Make `badge` the only file of the badge's branch; other branches are not changed."""
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


def _paginated(path: str) -> list[Any]:
    pages = json.loads(_gh("api", "--paginate", "--slurp", path))
    return [item for page in pages for item in page]


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
        return json.loads(_gh(*args, "--input", "-", stdin=json.dumps(body)))
    return json.loads(_gh(*args))


_GH_SECONDS = 60.0
"""Seconds for a call of gh: a request takes one or two, and gh waits for a slow network. Less would
fail there; a call that hangs costs the job all of them."""


def _gh(*args: str, stdin: str = "") -> str:
    try:
        gh = run(["gh", *args], stdin=stdin.encode(), timeout=_GH_SECONDS)
    except (OSError, ChildError) as error:
        raise GitHubError(
            "the GitHub CLI (gh) cannot be run", got=str(error), remedy="install it"
        ) from error
    if gh.exit_code:
        raise GitHubError(
            f"gh {args[0]} {args[-1] if not stdin else args[3]} failed",
            got=gh.last_output,
            remedy="set GH_TOKEN to a token with this permission",
        )
    return gh.stdout

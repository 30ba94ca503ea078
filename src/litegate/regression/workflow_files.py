"""Read the files of a repository that tell GitHub or GitLab to run the gate."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.git import repository_root

_GITLAB = "*.gitlab-ci.yml"
"""The pipeline, and files that it includes."""
_PATTERNS = (".github/**/*.yml", ".github/**/*.yaml", _GITLAB)
_PINNED = re.compile(r"(uses: \S+@)[0-9a-f]{40}\b.*")
"""An action at a full hash with its version as a comment, both of which Dependabot replaces."""


def declared_workflows(project: Path) -> dict[str, Any]:
    """Describe workflows by path in the repository: lines without comments and hashes of actions.

    GitLab's includes are looked for at the repository's root and in the project's folder. Outside
    of git only the project's own folder is looked at.
    """
    try:
        top = repository_root(project).resolve()
    except ConfigError:
        top = project.resolve()
    paths = chain(*(top.glob(pattern) for pattern in _PATTERNS), project.resolve().glob(_GITLAB))
    files = sorted({file for file in paths if file.is_file()})
    return {
        file.relative_to(top).as_posix(): {"lines": _lines(file), "imports": []} for file in files
    }


def _lines(file: Path) -> list[str]:
    lines = (line.rstrip() for line in file.read_text("utf-8", "replace").splitlines())
    return [_PINNED.sub(r"\1HASH", it) for it in lines if it and not it.lstrip().startswith("#")]

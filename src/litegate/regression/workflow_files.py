"""Read the files of a repository that tell GitHub or GitLab to run the gate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from litegate.core.errors import ConfigError
from litegate.core.git import repository_root

_GITLAB = "*.gitlab-ci.yml"
"""The pipeline, and files that it includes."""
_PATTERNS = (".github/**/*.yml", ".github/**/*.yaml", _GITLAB)
_RUNS_GATE = re.compile("litegate|--against")
"""Text of a workflow that runs the gate: the command or the action, or pytest with a base."""
_BLOCK = re.compile(r"""["']?([^\s"'#-][^"':]*)["']?\s*:""")
"""The first line of a job or a keyword at the top level of GitLab's YAML."""
_KEYWORDS = frozenset({"include", "workflow"})
"""GitLab's keywords that decide whether the job of an included file runs."""
_PINNED = re.compile(r"(uses: \S+@)[0-9a-f]{40}\b.*")
"""An action at a full hash with its version as a comment, both of which Dependabot replaces."""


def declared_workflows(project: Path) -> dict[str, Any]:
    """Describe workflows by path in the repository: lines without comments and hashes of actions.

    GitLab's includes are looked for at the repository's root and in the project's folder. Of a
    pipeline that includes the gate's job, only the blocks that may change the job are described.
    Outside of git only the project's own folder is looked at.
    """
    try:
        top = repository_root(project).resolve()
    except ConfigError:
        top = project.resolve()
    paths = chain(*(top.glob(pattern) for pattern in _PATTERNS), project.resolve().glob(_GITLAB))
    files = sorted({file for file in paths if file.is_file()})
    lines = {file.relative_to(top).as_posix(): _lines(file) for file in files}
    jobs = _KEYWORDS.union(*(_blocks(it) for path, it in lines.items() if _is_job(path, it)))
    for path, its_lines in lines.items():
        if is_pipeline(path) and not runs_gate(its_lines):
            blocks = _blocks(its_lines)
            lines[path] = [line for name in blocks if name in jobs for line in blocks[name]]
    return {path: {"lines": its_lines, "imports": []} for path, its_lines in lines.items()}


def runs_gate(lines: Iterable[str]) -> bool:
    """Return True for the lines of a workflow that runs the gate."""
    return any(map(_RUNS_GATE.search, lines))


def is_pipeline(path: str) -> bool:
    """Return True for GitLab's pipeline and files that it may include."""
    return path.endswith(_GITLAB.removeprefix("*"))


def _is_job(path: str, lines: list[str]) -> bool:
    return is_pipeline(path) and runs_gate(lines)


def _blocks(lines: list[str]) -> dict[str, list[str]]:
    """Return the lines of each job and keyword at the top level."""
    blocks: dict[str, list[str]] = {"": []}
    name = ""
    for line in lines:
        if start := _BLOCK.match(line):
            name = start[1].strip()
        blocks.setdefault(name, []).append(line)
    return blocks


def _lines(file: Path) -> list[str]:
    lines = (line.rstrip() for line in file.read_text("utf-8", "replace").splitlines())
    return [_PINNED.sub(r"\1HASH", it) for it in lines if it and not it.lstrip().startswith("#")]

"""A child process: what the checkout in the working directory declares, as JSON in a file.

Its models and checks are collected by pytest itself with the checkout's own settings, so that a
conftest or an option that hides a check shows. For this checkout the run hands its arguments on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError, LitegateError
from litegate.core.git import repository_root, submodules
from litegate.gate.collect_only import collect
from litegate.gate.project_settings import settings
from litegate.gate.state import Gate
from litegate.regression.base_declaration import NOTHING

_AGAINST_NOTHING = ("--against=none", "--anchor=none")
"""The base of a base is not asked for."""


def main(answer: Path, arguments: Sequence[str] = ()) -> int:
    """Write what the working directory declares to `answer`; exit status 1 where it cannot.

    With arguments of pytest it is this checkout, else one of a commit.
    """
    try:
        project = Path.cwd()
        declared = _collected(project, arguments) if arguments else _declared(project)
    except LitegateError as error:
        sys.stderr.write(str(error))
        return 1
    answer.write_text(json.dumps(declared), "utf-8")
    return 0


def _declared(project: Path) -> Mapping[str, Any]:
    """Return a checkout's declaration. Raises ConfigError if its own files do not give one."""
    named = settings(project)
    checks, models = (project / named.get(f"litegate_{it}", it) for it in ("checks", "models"))
    if not (os.path.lexists(checks) and os.path.lexists(models)):
        return NOTHING
    if not Path(os.path.normpath(checks)).is_relative_to(project):
        raise ConfigError(
            f"the checks folder is outside the project, in {named['litegate_checks']}",
            expected="checks below the folder with pytest's settings, which pytest's test ids "
            "start from",
        )
    commit_files = _CommitFiles(
        top=repository_root(project).resolve(), submodules=submodules(project)
    )
    commit_files.demand(checks, models)
    if not (any(checks.rglob("*.py")) and any(models.rglob("*.py"))):
        return NOTHING
    declared = _collected(project, [str(checks)])
    commit_files.demand(*(project / model["file"] for model in declared["models"].values()))
    return declared


def _collected(project: Path, arguments: Sequence[str]) -> Mapping[str, Any]:
    def declaration(gate: Gate) -> Mapping[str, Any] | None:
        has_both = gate.options.models.is_dir() and gate.options.checks.is_dir()
        return gate.collected() if has_both else None

    collected = collect(declaration, *_AGAINST_NOTHING, *arguments)
    if collected.answer is None or (collected.errors and not collected.ended_well):
        errors = "\n".join(collected.errors)
        raise ConfigError(errors or f"pytest ended with {collected.status}")
    root = collected.gate.options.project if collected.gate else Path()
    if root != project:
        raise ConfigError(
            f"pytest uses {root} as the project's root there",
            expected=f"{project}, which has the settings in this change",
        )
    return collected.answer


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _CommitFiles:
    """The files that belong to the commit checked out here."""

    top: Path
    submodules: list[Path]

    def demand(self, *paths: Path) -> None:
        """Raise ConfigError for a path that leads to files of no commit, or of another one."""
        for path in paths:
            real = path.resolve()
            where = ""
            if any(real.is_relative_to(folder) for folder in self.submodules):
                where = "is in a git submodule"
            elif not real.is_relative_to(self.top):
                where = "is outside the repository"
            if where:
                inside = path.is_relative_to(self.top)
                raise ConfigError(
                    f"{path.relative_to(self.top) if inside else path} {where}, so its "
                    "contents at that commit are unknown",
                    expected="models and checks in the repository itself",
                )


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))

"""Refuse checks of another project than the one whose settings pytest took.

pytest has one settings file and one root folder a run: those of its first argument. The checks of
any other project would fail one by one, for want of their fixtures or for the names of their files.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from litegate.core.options import parse
from litegate.gate.checks.pytest_items import asks_gate
from litegate.gate.invocation import argument_paths, concerned
from litegate.gate.project_settings import pytest_file, settings


def refuse_other_projects(config: pytest.Config) -> None:
    """Raise UsageError if an argument names checks of a project with settings of its own."""
    for argument, path in zip(config.args, argument_paths(config), strict=True):
        file = pytest_file(path) if path.exists() else None
        if file is None or file == config.inipath:
            continue
        checks = parse(file.parent, {}, settings(file.parent), {}).checks
        if concerned(config, checks, [argument]) and _are_checks(checks):
            raise _refusal(config, checks)


def _are_checks(folder: Path) -> bool:
    return any(b"litegate" in file.read_bytes() for file in folder.glob("test_*.py"))


def refuse_stray_check(item: pytest.Item, checks: Path) -> None:
    """Raise UsageError for a check outside this run's folder of checks."""
    if asks_gate(item) and not item.path.resolve().is_relative_to(checks.resolve()):
        raise _refusal(item.config, item.path.parent)


def _refusal(config: pytest.Config, checks: Path) -> pytest.UsageError:
    """Return the error for checks of another project: what pytest took, and what to run instead."""
    project, file = checks.parent, pytest_file(checks)
    remedy = f"run `pytest {_shown(config, checks)}/` by itself"
    if file is None or file.parent != project:
        remedy = (
            f"run `litegate init` in {_shown(config, project)}/ for its settings, then {remedy}"
        )
    if not any(path.is_relative_to(checks.resolve()) for path in argument_paths(config)):
        remedy += ", and keep it out of this run by testpaths or --ignore"
    taken = (
        f"the settings of {_shown(config, config.inipath)}"
        if config.inipath
        else "no settings file"
    )
    return pytest.UsageError(
        f"{_shown(config, checks)}/ belongs to another project: this run has {taken}\n"
        f"  what to do: {remedy}"
    )


def _shown(config: pytest.Config, path: Path) -> str:
    return Path(os.path.relpath(path, config.invocation_params.dir)).as_posix()

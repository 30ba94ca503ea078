"""Read a project's settings for pytest outside of pytest, from whichever file holds them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from _pytest.config.findpaths import locate_config

from litegate.core.errors import ConfigError
from litegate.core.git import Commit, committed_text
from litegate.core.options import OPTIONS

_FILES = (
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
    *("pyproject.toml", "tox.ini", "setup.cfg"),
)
"""The files in which pytest looks for settings, in its order."""


def settings(project: Path) -> dict[str, str]:
    """The options that a project sets, as text, read from the file that pytest itself reads.

    That is the first of `_FILES` with settings for pytest; a file further up belongs to another
    project. ConfigError for one that cannot be read.
    """
    file, table = _located(project.absolute())
    if file is None or file.parent != project.absolute():
        return {}
    return {o.name: _text(table[o.name].value) for o in OPTIONS if o.name in table}


def committed_settings(project: Path, commit: Commit) -> dict[str, str]:
    """Return the options that a project sets in a commit, as `settings` does for its files."""
    with TemporaryDirectory() as folder:
        for name in _FILES:
            text = committed_text(project, commit, name)
            if text is not None:
                (Path(folder) / name).write_text(text, "utf-8", "surrogateescape")
        return settings(Path(folder))


def pytest_file(project: Path) -> Path | None:
    """Return the settings file that pytest takes for a project; it may be further up."""
    return _located(project.absolute())[0]


def _located(project: Path) -> tuple[Path | None, Any]:
    """Return the file that pytest takes, and its settings."""
    try:
        _, file, table, *_ = locate_config(project, [project])
    except (OSError, ValueError, AttributeError, pytest.UsageError, pytest.fail.Exception) as error:
        raise ConfigError(
            f"the settings for pytest in {project} cannot be read",
            got=str(error),
            remedy="correct the file so that `pytest --version --version` works there",
        ) from error
    return file, table


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

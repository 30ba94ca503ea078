"""Read a project's settings for pytest outside of pytest, from whichever file holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _pytest.config.findpaths import locate_config

from litegate.core.errors import ConfigError
from litegate.core.options import OPTIONS


def settings(project: Path) -> dict[str, str]:
    """The options that a project sets, as text, read from the file that pytest itself reads.

    That is the first with settings for pytest of pytest.toml, .pytest.toml, pytest.ini,
    .pytest.ini, pyproject.toml, tox.ini and setup.cfg; a file further up belongs to another
    project. ConfigError for one that cannot be read.
    """
    file, table = _located(project.absolute())
    if file is None or file.parent != project.absolute():
        return {}
    return {o.name: _text(table[o.name].value) for o in OPTIONS if o.name in table}


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

"""Write new files, and describe in a line for each what was written and what was not."""

from __future__ import annotations

import os
from pathlib import Path

from litegate.core.errors import ConfigError

TEMPLATES = Path(__file__).parents[1] / "templates"
WROTE, LEFT, TO_DO = "wrote  ", "left   ", "to do  "
"""The first word of a line."""


def template(name: str) -> str:
    """Return the text of a template."""
    return (TEMPLATES / name).read_text("utf-8")


def is_taken(target: Path) -> bool:
    """Return True if a file cannot be written without replacing something, such as a dead link."""
    return target.exists() or target.is_symlink()


def write(project: Path, target: Path, text: str) -> str:
    """Write a new file and return the line to print; replaces no file and follows no link.

    Raises ConfigError if the file cannot be written.
    """
    data = text.encode()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError:
        is_same = target.is_file() and target.read_bytes() == data
        return left(project, target, f"it exists already{'' if is_same else ', and differs'}")
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written",
            got=str(error.strerror or error),
            remedy="run `litegate init` in a folder that you can write to",
        ) from error
    return f"{WROTE}{shown(project, target)}"


def left(project: Path, target: Path, why: str) -> str:
    """Return the line for a file that is not written."""
    return f"{LEFT}{shown(project, target)}: {why}"


def to_do(project: Path, target: Path, what: str) -> str:
    """Return the line for a file that a person must change."""
    return f"{TO_DO}{shown(project, target)}: {what}"


def shown(project: Path, target: Path) -> str:
    """Return a path as it is typed in the project's folder."""
    return Path(os.path.relpath(target, project)).as_posix()

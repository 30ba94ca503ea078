"""Implement `litegate init`: add a gate to a repository, without changing existing files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer

from litegate.core.errors import ConfigError

TEMPLATES = Path(__file__).parents[1] / "templates"
EXAMPLE = Path("models/my_model.py")
WORKFLOW = Path(".github/workflows/gate.yml")
IGNORED = ".litegate/"
_SETTINGS = {
    "pytest.toml": "",
    ".pytest.toml": "",
    "pytest.ini": "",
    ".pytest.ini": "",
    "pyproject.toml": "",
    "tox.ini": r"^\[pytest\]",
    "setup.cfg": r"^\[tool:pytest\]",
}
"""Files of pytest's settings in its order, each with the pattern that makes pytest use it."""


def init() -> None:
    """Put models/, checks/, a GitHub workflow and settings into this folder.

    It overwrites nothing, and lists what it wrote and what it left.
    """
    for line in put(Path.cwd()):
        typer.echo(line)


def put(project: Path) -> Iterator[str]:
    """Write the files that `project` lacks; yield a line for each file, and the next step.

    Raises ConfigError if a file cannot be written.
    """
    yield from _example(project)
    for check in sorted(checks().glob("*.py")):
        yield _write(project, Path("checks", check.name), check.read_bytes())
    yield _write(project, WORKFLOW, _template("gate.yml"))
    yield from _settings(project)
    yield from _ignored(project)
    yield "next: `pytest checks/` builds and gates every model of models/"


def checks() -> Path:
    """Return the folder of checks: packaged in a wheel, beside `src` in a checkout of litegate."""
    packaged = TEMPLATES / "checks"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "checks"


def _example(project: Path) -> Iterator[str]:
    own = sorted(path.name for path in (project / EXAMPLE.parent).glob("*.py"))
    if own and EXAMPLE.name not in own:
        yield f"left   {EXAMPLE}: not needed, {own[0]} is there"
        return
    yield _write(project, EXAMPLE, _template(EXAMPLE.name))


def _settings(project: Path) -> Iterator[str]:
    """Write pytest's settings, which also mark the project's root for pytest, or print them."""
    existing = next((name for name, mark in _SETTINGS.items() if _has(project / name, mark)), None)
    section = _template("settings.toml")
    if existing is None:
        yield _write(project, Path("pyproject.toml"), section)
        return
    yield f"left   {existing}: the gate's defaults hold; to change them, in pyproject.toml's words:"
    yield from (f"         {line}" for line in section.decode().splitlines())


def _ignored(project: Path) -> Iterator[str]:
    place = Path(".gitignore")
    if _has(project / place, rf"^/?{re.escape(IGNORED)}?\s*$"):
        yield f"left   {place}: it names {IGNORED}"
    elif (project / place).exists():
        yield f"left   {place}: add the line {IGNORED}"
    else:
        yield _write(project, place, _template("gitignore"))


def _has(file: Path, mark: str) -> bool:
    return file.is_file() and bool(re.search(mark, file.read_text("utf-8"), re.MULTILINE))


def _template(name: str) -> bytes:
    return (TEMPLATES / name).read_bytes()


def _write(project: Path, place: Path, data: bytes) -> str:
    """Create a file and return the line to print; follows no link and replaces no file."""
    target = project / place
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError:
        is_same = target.is_file() and target.read_bytes() == data
        return f"left   {place}: it is there already{'' if is_same else ', and is another'}"
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written",
            got=str(error.strerror or error),
            remedy="run `litegate init` in a folder of yours",
        ) from error
    return f"wrote  {place}"

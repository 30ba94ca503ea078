"""Which versions of the tool chain a checkout pins, in the files that people pin them in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from litegate.build.toolchain.pins import PINS, STAND_INS

_NAMES = {"litegate", *PINS, *STAND_INS.values()}
_TEXTS = ("*requirements*.txt", "*constraints*.txt")
_TABLES = ("pyproject.toml", "*.lock")
_COMMENT = re.compile(r"(^|\s)#.*")
"""pip's: a # within a word is part of it."""


def pinned(project: Path) -> list[str]:
    """The requirements of the tool chain's packages that state a version, file by file.

    Those of `pyproject.toml`, of requirements, constraints and lock files at the project's root. A
    table that cannot be read counts as a whole.
    """
    texts = sorted(path for pattern in _TEXTS for path in project.glob(pattern))
    tables = sorted(path for pattern in _TABLES for path in project.glob(pattern))
    found = [one for path in texts for one in _of_lines(path.read_text("utf-8", "replace"))]
    return found + [one for path in tables for one in _of_file(path)]


def _of_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from _requirement(_COMMENT.sub("", line).partition(" --")[0])


def _of_file(path: Path) -> list[str]:
    text = path.read_text("utf-8", "replace")
    try:
        return list(_of_table(tomllib.loads(text)))
    except tomllib.TOMLDecodeError:
        return [text]


def _of_table(value: Any) -> Iterator[str]:
    """Requirements, tables of one package with its version, and Poetry's name to version."""
    if isinstance(value, str):
        yield from _requirement(value)
    elif isinstance(value, list):
        for each in value:
            yield from _of_table(each)
    elif isinstance(value, Mapping):
        name, version = value.get("name"), value.get("version")
        if isinstance(name, str) and isinstance(version, str):
            yield from _requirement(f"{name}=={version}")
        for key, each in value.items():
            if canonicalize_name(key) in _NAMES and not isinstance(each, list):
                yield f"{canonicalize_name(key)} {each}"
            else:
                yield from _of_table(each)


def _requirement(text: str) -> Iterator[str]:
    """The requirement itself, if it is of the tool chain's and states a version or a place."""
    try:
        found = Requirement(text.strip())
    except InvalidRequirement:
        return
    if canonicalize_name(found.name) in _NAMES and (found.specifier or found.url):
        yield str(found)

"""Read the pinned versions of the tool chain from a checkout's requirement and lock files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from litegate.build.toolchain.pins import (
    INSTALL,
    INSTALL_QUANTIZER,
    PINS,
    QUANTIZER_PINS,
    STAND_INS,
)
from litegate.core.escaping import plain

_QUANTIZER = "litert-quantizer"
_PINS = {**PINS, _QUANTIZER: QUANTIZER_PINS[_QUANTIZER]}
"""LiteRT, which litegate itself depends on, is no pin of the tool chain."""
_NAMES = {"litegate", *_PINS, *STAND_INS.values()}
_TEXTS = ("*requirements*.txt", "*constraints*.txt")
_TABLES = ("pyproject.toml", "*.lock")
_COMMENT = re.compile(r"(^|\s)#.*")
"""A comment as pip reads it: a # inside a word belongs to the word."""


_EXACT = re.compile(r"^([\w.-]+) (\d[\w.+]*)$")
"""A version as Poetry writes it in a table."""


def pinned_requirements(project: Path) -> list[str]:
    """List the requirements of the tool chain's packages that state a version, file by file.

    Reads `pyproject.toml`, requirements, constraints and lock files at the project's root. Of a
    TOML file with an error the whole text is listed, so that any change of it counts.
    """
    texts = sorted(path for pattern in _TEXTS for path in project.glob(pattern))
    tables = sorted(path for pattern in _TABLES for path in project.glob(pattern))
    return [
        *(pin for path in texts for pin in _from_lines(_read(path))),
        *(pin for path in tables for pin in _from_toml(path)),
    ]


def pin_notes(project: Path) -> Iterator[str]:
    """Yield a note for each requirement of a checkout that excludes the version that builds.

    Changing the pin in one place alone changes no artifact, and would go unseen. Lock files follow
    the others and may be large, so they are not read.
    """
    texts = sorted(path for pattern in _TEXTS for path in project.glob(pattern))
    named = [(path.name, pin) for path in texts for pin in _from_lines(_read(path))]
    if (table := project / "pyproject.toml").is_file():
        named += [(table.name, pin) for pin in _from_toml(table)]
    for file, pin in dict.fromkeys(named):
        if (name := _excluded(pin)) is not None:
            install = INSTALL_QUANTIZER if name == _QUANTIZER else INSTALL
            yield (
                f"{file} asks for {plain(pin)}, but artifacts are built with {name} "
                f"{_PINS[name]}: the two must agree; `{install}` installs the second"
            )


def _excluded(pin: str) -> str | None:
    """Return the distribution whose pinned version a requirement excludes; None if it does not."""
    try:
        requirement = Requirement(_EXACT.sub(r"\1==\2", pin))
    except InvalidRequirement:
        return None  # a range of Poetry's, or a TOML file with an error
    asked = canonicalize_name(requirement.name)
    name = next((original for original, other in STAND_INS.items() if other == asked), str(asked))
    if name not in _PINS or (requirement.marker and not requirement.marker.evaluate()):
        return None
    return None if requirement.specifier.contains(_PINS[name], prereleases=True) else name


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace")


def _from_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from _requirement(_COMMENT.sub("", line).partition(" --")[0])  # without --hash=...


def _from_toml(path: Path) -> list[str]:
    text = _read(path)
    try:
        return list(_from_table(tomllib.loads(text)))
    except tomllib.TOMLDecodeError:
        return [text]


def _from_table(value: Any) -> Iterator[str]:
    """Yield the pins below a TOML value, in any of three forms.

    A requirement as text (PEP 621), a table with name and version (lock files), or a package's name
    as the key of its version (Poetry).
    """
    if isinstance(value, str):
        yield from _requirement(value)
    elif isinstance(value, list):
        for element in value:
            yield from _from_table(element)
    elif isinstance(value, Mapping):
        name, version = value.get("name"), value.get("version")
        if isinstance(name, str) and isinstance(version, str):
            yield from _requirement(f"{name}=={version}")
        for key, entry in value.items():
            if canonicalize_name(key) in _NAMES and not isinstance(entry, list):
                yield f"{canonicalize_name(key)} {entry}"
            else:
                yield from _from_table(entry)


def _requirement(text: str) -> Iterator[str]:
    """Yield the requirement if it names a tool chain package and pins a version or a URL."""
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement:
        return
    if canonicalize_name(requirement.name) in _NAMES and (requirement.specifier or requirement.url):
        yield str(requirement)

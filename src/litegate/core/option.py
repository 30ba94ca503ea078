"""Describe one option of the gate, and parse the text of its value.

A parser raises ValueError or KeyError for a value that is not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

_URL = re.compile(r"(s3|az|gs)://[\w.-]+(/[\w.-]+)*/?", re.ASCII)
"""The address of a bucket and a prefix in it; credentials have no place in it."""


def parse_path(text: str) -> Path:
    return Path(text).expanduser()


def parse_path_or_url(text: str) -> Path | str:
    if "://" not in text:
        return parse_path(text)
    if not _URL.fullmatch(text):
        raise ValueError(text)
    return text.rstrip("/")


def parse_folder(text: str) -> Path | None:
    return parse_path(text) if text else None


def parse_names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.replace(",", " ").split() if name)


def parse_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def parse_count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser that takes some words."""

    def parse_word(text: str) -> str:
        if text.strip() not in words:
            raise ValueError(text)
        return text.strip()

    return parse_word


def parse_switch(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    return words[text.strip().lower()]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option; the flag overrides the environment variable, which overrides the setting."""

    name: str
    """Name of the setting; the flag is the same with dashes."""
    parse: Callable[[str], Any]
    allowed: str
    """Description of the allowed values, for error messages."""
    default: str
    help: str
    env: str = ""
    metavar: str = "VALUE"
    repeated: bool = False
    personal: bool = False
    """True if it describes this machine or run only and cannot weaken the gate."""
    refuses_empty: bool = False
    """True if an empty value is an error. CI passes an unset variable as one, which must not switch
    a comparison off."""
    dropped: str = ""
    """Prefix of the setting's name that the flag omits."""

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.removeprefix(self.dropped).replace("_", "-")

    @property
    def ini_type(self) -> Literal["string", "bool", "args"]:
        """Type of the setting for pytest's `addini`."""
        if self.is_switch:
            return "bool"
        return "args" if self.repeated else "string"

    @property
    def is_switch(self) -> bool:
        """True if the flag takes no value."""
        return self.parse is parse_switch

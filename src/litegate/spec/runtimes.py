"""Name the runtimes that a file's answers can come from, and define a project's own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import final

from litegate.core.errors import ConfigError

XNNPACK = "xnnpack"
"""LiteRT as phones and servers run it: the default, in the gate's own process."""
REFERENCE = "reference"
"""LiteRT's reference kernels."""
TFLM = "tflm"
"""TensorFlow Lite Micro's own interpreter."""
GPU = "gpu"
"""LiteRT's GPU accelerator; without a GPU it runs on SwiftShader, a driver for the processor."""
RUNTIMES = (XNNPACK, REFERENCE, TFLM, GPU)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A runtime of the project's own: a program that runs files on a board, phone or emulator."""

    name: str
    """The runtime's name in test ids and measurements, as in "accuracy on board"."""
    command: str
    """The program's command line; runs in the project's root, without a shell."""
    files: tuple[str, ...] = ()
    """Files that decide its answers, such as the firmware, relative to the project's root. Files
    that the command line names belong to them; answers are not reused if one of them changes."""
    timeout: float = 300.0
    """Seconds that the program may take for one message, which has at most 32 samples. The default
    is that of litegate's own runtimes: nine seconds a sample."""
    times: bool = False
    """True if the program reports the device's own time of each sample: limits of latency are then
    judged there, too."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", self.name) or self.name in RUNTIMES:
            raise ConfigError(
                f"{self.name!r} cannot be the name of a runtime of your own",
                expected="letters, digits, _, . and -, and none of " + ", ".join(RUNTIMES),
            )
        if not self.arguments:
            raise ConfigError(
                f"Command({self.name!r}, command=...) is not a command line",
                expected='a program and its arguments, as in "python tools/board.py"',
                got=repr(self.command),
            )
        if not isinstance(self.files, tuple) or not all(isinstance(it, str) for it in self.files):
            raise ConfigError("Command(files=...) must be a tuple of paths", got=repr(self.files))
        if not 0 < self.timeout < inf:
            raise ConfigError(
                "Command(timeout=...) must be a number of seconds", got=repr(self.timeout)
            )

    @property
    def arguments(self) -> list[str]:
        """The program and its arguments; empty if the command line cannot be split."""
        try:
            return shlex.split(self.command)
        except ValueError:  # a quotation mark that is not closed
            return []


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCommand:
    """A runtime of a project's own, and the project's root."""

    command: Command
    project: Path


_declared: dict[str, DeclaredCommand] = {}
"""The runtimes of the project whose models are loaded, by name: an artifact, a test's id and a row
of the report have a runtime's name alone."""


def declare(commands: Iterable[Command], project: Path) -> None:
    """Make a project's own runtimes known by their names, in place of those known before.

    Raises ConfigError for two different ones of the same name.
    """
    by_name: dict[str, DeclaredCommand] = {}
    for command in commands:
        new = DeclaredCommand(command=command, project=project)
        if by_name.setdefault(command.name, new) != new:
            raise ConfigError(
                f"two runtimes are named {command.name}",
                got=f"`{by_name[command.name].command.command}` and `{command.command}`",
                remedy="rename one, or declare it once and import it",
            )
    _declared.clear()
    _declared.update(by_name)


def find_command(runtime: str) -> DeclaredCommand | None:
    """Return the declaration of a project's own runtime; None for any other name."""
    return _declared.get(runtime)


def runtime_names() -> tuple[str, ...]:
    """Return the names of all runtimes: litegate's, then the project's own."""
    return (*RUNTIMES, *_declared)

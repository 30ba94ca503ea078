"""Compile a file with Vela, Arm's compiler for Ethos-U, in a child process."""

from __future__ import annotations

import csv
import shlex
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

from litegate.core.child_process import (
    ChildError,
    Finished,
    environment_for,
    own_module,
    run,
)
from litegate.core.errors import ConfigError, MeasurementError
from litegate.spec.vela import Vela

PACKAGE = "ethos-u-vela"
_INSTALL = "pip install 'litegate[vela]'"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A file that Vela compiled, and its summary."""

    tflite: bytes = field(repr=False)
    summary: Mapping[str, str]
    """The row of the summary's CSV, by column."""
    version: str
    """Vela's version."""


@cache
def installed_version() -> str:
    """Return Vela's version; empty if it is not installed."""
    # Late: it imports the package `email`.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


def missing_vela() -> str:
    """Say why this machine does not have Vela, and what to do; empty if it has it."""
    return "" if installed_version() else f"{PACKAGE} is not installed: {_INSTALL}"


def demand_vela() -> None:
    """Raise ConfigError if this machine does not have Vela."""
    if missing_vela():
        raise ConfigError(
            "there is no Vela on this machine",
            got=f"{PACKAGE} is not installed",
            remedy=_INSTALL,
        )


@lru_cache(maxsize=8)  # several checks ask for the same file in turn
def compile_file(tflite: bytes, vela: Vela, subject: str) -> Compiled:
    """Compile the bytes of a `.tflite` file; `vela.config` must be absolute or empty.

    The bytes are the same in each run, whatever the file's name. Raises ConfigError if Vela is not
    installed, MeasurementError if it refuses the file or the configuration, crashes, exceeds its
    timeout, or writes a summary that cannot be read.
    """
    demand_vela()
    with TemporaryDirectory(prefix="litegate-") as folder:
        source = Path(folder) / "model.tflite"
        source.write_bytes(tflite)
        command = own_module("ethosu.vela", str(source), f"--output-dir={folder}", *vela.arguments)
        try:
            # Nothing of the folder can be imported: only Vela's own packages are.
            finished = run(command, stdin=b"", env=environment_for(), timeout=vela.timeout)
        except ChildError as error:
            raise MeasurementError(
                f"Vela does not finish with {subject}",
                expected=f"a compiled file within {vela.timeout:g} s",
                got=_last_line(error.stderr),
                remedy="raise Vela(timeout=...)",
            ) from error
        if finished.exit_code:
            raise _failure(finished, vela, subject)
        return Compiled(
            tflite=_output(Path(folder), subject),
            summary=_summary(Path(folder), subject),
            version=installed_version(),
        )


def _failure(finished: Finished, vela: Vela, subject: str) -> MeasurementError:
    """Return the error of a failed command, with the last line of its output, the error's own."""
    ending = f"exit status {finished.exit_code}"
    if finished.exit_code < 0:
        ending = f"signal {-finished.exit_code}"
        with suppress(ValueError):  # a number without a name
            ending = signal.Signals(-finished.exit_code).name
    return MeasurementError(
        f"Vela does not compile {subject}",
        expected=f"a file that it takes, and a configuration that it knows: {vela.described}",
        got=": ".join(filter(None, (ending, _last_line(finished.last_output)))),
        remedy=f"run it yourself: {shlex.join(('vela', 'FILE', *vela.arguments))}",
    )


def _last_line(output: str) -> str:
    return "".join(output.strip().splitlines()[-1:])


def _output(folder: Path, subject: str) -> bytes:
    try:
        return (folder / "model_vela.tflite").read_bytes()
    except OSError as error:
        raise MeasurementError(
            f"Vela wrote no compiled file of {subject}",
            expected=f"a version of {PACKAGE} that litegate knows: 5.2",
            got=installed_version(),
        ) from error


def _summary(folder: Path, subject: str) -> Mapping[str, str]:
    """Read the only row of the summary; its file's name ends with the system configuration."""
    rows: list[dict[str, str]] = []
    for file in folder.glob("model_summary_*.csv"):
        with file.open(newline="", encoding="utf-8", errors="replace") as lines:
            rows += csv.DictReader(lines)
    if len(rows) != 1:
        raise MeasurementError(
            f"Vela's summary of {subject} cannot be read",
            expected="a CSV file with one row",
            got=f"{len(rows)} rows, from version {installed_version()}",
        )
    return rows[0]

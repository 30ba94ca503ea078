"""Files of the user's own: found, fetched or made, and verified."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable
from litegate.data.download import download
from litegate.spec import DataLocations, File

TIMEOUT = 600.0
"""Seconds that a command may take."""
_TAIL = 2000
_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that Git LFS left where the real one belongs."""


def locate(
    file: File, locations: DataLocations, *, timeout: float = TIMEOUT, folder: bool = False
) -> Path:
    """Where a file lies on this machine: fetched or made where it must be, and verified.

    With `folder`, a path may be that of a folder, too. Raises DataUnavailable where it cannot be
    had here, DataError where its bytes are not those that were promised, ConfigError for a path
    that leads nowhere, BuildError where its command fails.
    """
    if file.url:
        return _fetched(file, locations)
    path = expanded(file.path, locations.project)
    there = Path.exists if folder else Path.is_file
    if file.command and not (there(path) and digest(path) == file.sha256):
        _make(file, path, locations.project or Path.cwd(), timeout)
    _check_there(file, path, locations, there(path))
    _check_digest(file, path)
    return path


def expanded(path: str, project: Path | None) -> Path:
    """The place that a path names; DataUnavailable for a variable that is not set."""
    filled = os.path.expandvars(path)
    if unset := re.search(r"\$\w+|\$\{\w+\}", filled):
        raise DataUnavailable(
            f"the path {path} cannot be filled in: {unset[0]} is not set",
            remedy="set it in the environment, or correct the path in the model's file",
        )
    return (project or Path.cwd()) / Path(filled).expanduser()


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, that of what `sha256sum` lists of its files.

    They are listed by their paths from the folder, in the order of their bytes. DataUnavailable
    where one cannot be read.
    """
    try:
        if path.is_dir():
            listed = (f"{_digest(each)}  {name}\n" for name, each in _held(path))
            return hashlib.sha256("".join(listed).encode()).hexdigest()
        return _digest(path)
    except OSError as error:
        raise DataUnavailable(f"{path} cannot be read", got=str(error)) from error


def files_of(path: Path) -> list[Path]:
    """The file itself, or all files of a folder and of those below."""
    return [each for _, each in _held(path)] if path.is_dir() else [path]


def _held(folder: Path) -> list[tuple[str, Path]]:
    found = (each for each in folder.rglob("*") if each.is_file())
    named = ((each.relative_to(folder).as_posix(), each) for each in found)
    return sorted(named, key=lambda pair: pair[0].encode())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_inside(path: Path, locations: DataLocations) -> bool:
    """Whether a path, and all that a folder holds, lies in the project, links followed."""
    project = (locations.project or Path.cwd()).resolve()
    return all(each.resolve().is_relative_to(project) for each in (path, *files_of(path)))


def _check_there(file: File, path: Path, locations: DataLocations, there: bool) -> None:  # noqa: FBT001
    if not (file.sha256 or is_inside(path, locations)):
        raise ConfigError(
            f"{file} leads out of the project, and no digest says what it must hold",
            expected="a file of the project, or File(path=..., sha256=...)",
            remedy=f"its digest is {digest(path)}" if there else "name one that exists",
        )
    if there:
        return
    kind = DataUnavailable if file.sha256 else ConfigError
    raise kind(
        f"there is no file {path}",
        remedy="correct the path, which starts at the project's root, or bring the file",
    )


def _check_digest(file: File, path: Path) -> None:
    got = digest(path)
    if any(_is_pointer(each) for each in files_of(path)):
        raise DataUnavailable(
            f"{file} is a pointer that Git LFS left, not the file itself",
            remedy="run `git lfs pull`",
        )
    if file.sha256 and got != file.sha256:
        raise DataError(
            f"{file} does not hold the bytes that were promised",
            expected=f"SHA-256 {file.sha256}",
            got=got,
            remedy="restore the file; if the change is meant, correct sha256=...",
        )


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(len(_POINTER)) == _POINTER


def _fetched(file: File, locations: DataLocations) -> Path:
    if locations.cache is None:
        raise DataUnavailable(f"{file} is not on this machine")
    kept = locations.cache / "files" / file.sha256
    if kept.is_file() and digest(kept) == file.sha256:
        return kept
    fresh = kept.with_name(f"unverified-{os.getpid()}-{kept.name}")
    try:
        _check_digest(file, download(file.url, fresh))
        os.replace(fresh, kept)
    except OSError as error:
        raise DataUnavailable(f"{file} cannot be kept in {kept}", got=str(error)) from error
    finally:
        with suppress(OSError):
            fresh.unlink()
    return kept


def _make(file: File, path: Path, project: Path, timeout: float) -> None:
    """Run the command that makes a file; BuildError where it fails or leaves none."""
    with tempfile.TemporaryFile() as log:
        status = _run(file.command, project, timeout, log)
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
        said = log.read().decode("utf-8", "replace").strip()
    if status != "exit status 0" or not path.exists():
        raise BuildError(
            f"`{file.command}` did not make {file}",
            expected="exit status 0, and the file",
            got=f"{status}, {'a' if path.exists() else 'no'} file; it printed last: {said}",
            remedy="run it in the project's root",
        )


def _run(command: str, project: Path, timeout: float, log: IO[bytes]) -> str:
    """How a command ended, in words. What it started is gone with it where it takes too long."""
    try:
        process = subprocess.Popen(  # noqa: S603 the user's own command
            shlex.split(command),
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        return f"not started: {error}"
    try:
        return f"exit status {process.wait(timeout)}"
    except subprocess.TimeoutExpired:
        return f"still running after {timeout:g} s"
    finally:
        if process.poll() is None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

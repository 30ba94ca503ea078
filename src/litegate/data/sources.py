"""Find, download or generate the user's files, and verify their digests."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from litegate.core.child_process import QUOTED, process_group
from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable
from litegate.data.download import download
from litegate.spec import DataLocations, File

TIMEOUT = 600.0
"""Limit of a command in seconds: generating data may take minutes, but a command that hangs would
keep a CI job until the job's own limit, often hours."""
_POINTER = b"version https://git-lfs.github.com/spec/"
"""The first bytes of a pointer file, which Git LFS leaves in place of a file not yet pulled."""


def locate(
    file: File, locations: DataLocations, *, timeout: float = TIMEOUT, folder: bool = False
) -> Path:
    """Return a file's path on this machine: download or generate it if needed, and verify it.

    With `folder`, the path may be a folder. Raises DataUnavailable if the file is not available
    here, DataError if its bytes do not have the declared digest, ConfigError if the path does not
    exist or leads out of the project, BuildError if the file's command fails.
    """
    if file.url:
        return _fetch(file, locations)
    path = expand_path(file.path, locations.project)
    exists = Path.exists if folder else Path.is_file
    if file.command and not (exists(path) and digest(path) == file.sha256):
        _generate(file, path, locations.project or Path.cwd(), timeout)
    _check_exists(file, path, locations, exists=exists(path))
    _check_digest(file, path)
    return path


def expand_path(path: str, project: Path | None) -> Path:
    """Expand variables and "~" of a path, relative to `project`.

    Raises DataUnavailable for a variable that is not set.
    """
    filled = os.path.expandvars(path)
    if unset := re.search(r"\$\w+|\$\{\w+\}", filled):
        raise DataUnavailable(
            f"the path {path} contains {unset[0]}, which is not set",
            remedy="set it, or correct the path in the model's file",
        )
    return (project or Path.cwd()) / Path(filled).expanduser()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder's listing by `sha256sum`.

    The listing contains all files by their paths relative to the folder, sorted by bytes. Raises
    DataUnavailable if a file cannot be read.
    """
    try:
        if path.is_dir():
            lines = (f"{_file_digest(file)}  {name}\n" for name, file in _folder_files(path))
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        return _file_digest(path)
    except OSError as error:
        raise DataUnavailable(f"{path} cannot be read", got=str(error)) from error


def files_of(path: Path) -> list[Path]:
    """Return the file itself, or all files of a folder, recursively."""
    return [file for _, file in _folder_files(path)] if path.is_dir() else [path]


def _folder_files(folder: Path) -> list[tuple[str, Path]]:
    """Return the files of a folder, recursively: (relative path, path), sorted by bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = ((file.relative_to(folder).as_posix(), file) for file in files)
    return sorted(named, key=lambda pair: pair[0].encode())


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_inside(path: Path, locations: DataLocations) -> bool:
    """Return True if a path, and every file of a folder, lies in the project, links followed."""
    project = (locations.project or Path.cwd()).resolve()
    return all(part.resolve().is_relative_to(project) for part in (path, *files_of(path)))


def _check_exists(file: File, path: Path, locations: DataLocations, *, exists: bool) -> None:
    if not (file.sha256 or is_inside(path, locations)):
        raise ConfigError(
            f"{file} is outside the project and has no digest",
            expected="a file in the project, or File(path=..., sha256=...)",
            remedy=f"set its digest: {digest(path)}" if exists else "name an existing file",
        )
    if exists:
        return
    kind = DataUnavailable if file.sha256 else ConfigError
    raise kind(
        f"there is no file {path}",
        remedy="correct the path, which is relative to the project's root, or provide the file",
    )


def _check_digest(file: File, path: Path) -> None:
    actual_digest = digest(path)
    if any(is_lfs_pointer(part) for part in files_of(path)):
        raise DataUnavailable(
            f"{file} is a Git LFS pointer instead of the file",
            remedy="run `git lfs pull`",
        )
    if file.sha256 and actual_digest != file.sha256:
        raise DataError(
            f"{file} differs from its digest",
            expected=f"SHA-256 {file.sha256}",
            got=actual_digest,
            remedy="restore the file; if the change is intended, correct sha256=...",
        )


def is_lfs_pointer(path: Path) -> bool:
    """Return True if Git LFS left a pointer in place of the file."""
    with path.open("rb") as opened:
        return opened.read(len(_POINTER)) == _POINTER


def _fetch(file: File, locations: DataLocations) -> Path:
    if locations.cache is None:
        raise DataUnavailable(f"{file} is not on this machine")
    cached = locations.cache / "files" / file.sha256
    if cached.is_file() and digest(cached) == file.sha256:
        return cached
    unverified = cached.with_name(f"unverified-{os.getpid()}-{cached.name}")
    try:
        _check_digest(file, download(file.url, unverified))
        os.replace(unverified, cached)
    except OSError as error:
        raise DataUnavailable(f"cannot write {file} to {cached}", got=str(error)) from error
    finally:
        with suppress(OSError):
            unverified.unlink()
    return cached


def _generate(file: File, path: Path, project: Path, timeout: float) -> None:
    """Run the command that generates a file. Raises BuildError if it fails or writes no file."""
    with tempfile.TemporaryFile() as log:
        status = _run(file.command, project, timeout, log)
        log.seek(max(0, log.seek(0, os.SEEK_END) - QUOTED))
        output = log.read().decode("utf-8", "replace").strip()
    if status != "exit status 0" or not path.exists():
        raise BuildError(
            f"`{file.command}` did not generate {file}",
            expected="exit status 0, and the file",
            got=f"{status}, {'a' if path.exists() else 'no'} file; its last output: {output}",
            remedy="run it in the project's root",
        )


def _run(command: str, project: Path, timeout: float, log: IO[bytes]) -> str:
    """Run a command; describe how it ended. After `timeout`, kill its process group."""
    try:
        with process_group(
            shlex.split(command),
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process:
            return f"exit status {process.wait(timeout)}"
    except subprocess.TimeoutExpired:
        return f"still running after {timeout:g} s"
    except (OSError, ValueError) as error:
        return f"not started: {error}"

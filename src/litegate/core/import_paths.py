"""Find a project's folders on the import path, and the lines of its own code in tracebacks."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from functools import cache, lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of litegate's own source, `src/litegate` or `site-packages/litegate`."""


def installed(path: Path) -> bool:
    """Return True for a path among installed packages, Python's own modules, or in litegate."""
    return any(path.is_relative_to(folder) for folder in _package_folders())


@cache
def _package_folders() -> tuple[Path, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return (PACKAGE, *(Path(sysconfig.get_path(kind)).resolve() for kind in kinds))


def own_line(error: BaseException, project: Path) -> str:
    """Return the innermost line of the project's own code in a traceback, as "file:line".

    Packages of an environment in the project are not its own. Empty if there is no such line.
    """
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if _is_own(Path(f.filename), project)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _is_own(file: Path, project: Path) -> bool:
    return file.is_relative_to(project) and not installed(file)


def own_folders(project: Path) -> tuple[Path, ...]:
    """Return the folders of the import path that are the project or lie in it, in their order.

    Excludes the folders of installed packages, even if their environment lies in the project.
    """
    return _own_folders(project.resolve(), Path.cwd(), tuple(sys.path))


@lru_cache(maxsize=64)  # the keys of each model ask for them
def _own_folders(root: Path, current: Path, entries: tuple[str, ...]) -> tuple[Path, ...]:
    folders = ((current / it).resolve() for it in entries if not _holds_packages(it))
    own = (folder for folder in folders if folder.is_relative_to(root) and folder.is_dir())
    return tuple(dict.fromkeys(folder for folder in own if not installed(folder)))


@cache  # keys ask for the project's folders dozens of times a run; Python's own do not move
def _holds_packages(entry: str) -> bool:
    """Return True for an absolute entry of the import path that holds installed packages."""
    path = Path(entry)
    return path.is_absolute() and installed(path.resolve())


def path_for(project: Path, checkout: Path) -> list[str]:
    """Return the import path for a process that works on another checkout of a project.

    The project's own folders are replaced by those of the checkout; otherwise its files would
    import modules of this checkout. The folder of litegate itself is not replaced.
    """
    entries = [str(Path(entry or ".").resolve()) for entry in sys.path]
    if project.resolve() == checkout.resolve():
        return entries
    own = {str(folder) for folder in own_folders(project) if folder != PACKAGE.parent}
    mapped = [
        str(checkout.resolve() / Path(entry).relative_to(project.resolve()))
        if entry in own
        else entry
        for entry in entries
    ]
    return list(dict.fromkeys(mapped))

"""Record which files of a project are opened for reading while code of the user runs.

Python reports each file that it opens, and each folder that it lists, as an audit event. Files
that C libraries open, such as TensorFlow's `tf.io` and HDF5, and files that another process opens
are not seen.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, final

from litegate.core.import_paths import installed

_FOREIGN = frozenset(
    (".git", ".litegate", ".venv", "__pycache__", "dist-packages", "site-packages")
)
"""Folders whose files are not the project's own, wherever they lie in it."""
_WILDCARDS = frozenset("*?[")
_METADATA = (".dist-info", ".egg-info")
"""Folders of an installed package's metadata, which imports read; an editable install puts them
beside the source."""
_LISTED = frozenset(("os.listdir", "os.scandir"))
"""Events of a listed folder, also of a missing one, whatever the caller makes of the error."""
_GLOBBED = frozenset(("pathlib.Path.glob", "pathlib.Path.rglob"))
"""Events of a pattern in a folder: before Python 3.13 a missing folder is not listed at all."""
_NOT_READ = os.O_TRUNC | os.O_EXCL
"""Flags with which a file is new or emptied."""


@final
class FileReads:
    """The files below `project` that were opened for reading, and the folders that were listed."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._paths: set[str] = set()
        self._folders: dict[str, None] = {}

    def add(self, path: str) -> None:
        """Record an absolute path of any file."""
        self._paths.add(path)

    def add_folder(self, path: str) -> None:
        """Record the absolute path of a listed folder."""
        self._folders[path] = None

    def missing_folders(self) -> tuple[Path, ...]:
        """Return the listed folders that do not exist, in their order.

        Excludes the environment's folders and those of the import path, which imports list.
        """
        return tuple(path for path in map(Path, self._folders) if _is_missing_data(path))

    def files(self) -> tuple[Path, ...]:
        """Return the regular files of the project that are not Python source, sorted.

        Excludes installed packages, environments, temporary files, and folders of git and litegate.
        A link in the project counts, wherever it leads.
        """
        roots = {self._project, self._project.resolve()}
        return tuple(Path(path) for path in sorted(self._paths) if _is_own(Path(path), roots))


_active: list[FileReads] = []


@contextmanager
def record_reads(project: Path) -> Iterator[FileReads]:
    """Record the files that Python opens for reading in the context, in any thread."""
    _install_hook()
    reads = FileReads(project)
    _active.append(reads)
    try:
        yield reads
    finally:
        _active.remove(reads)


@cache
def _install_hook() -> None:
    # Once in a process: a hook cannot be removed.
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active:
        return
    # An exception here would reach the user's code: the path may be invalid, the folder deleted.
    with suppress(OSError, ValueError, TypeError):
        if event == "open" and _is_read(*arguments):
            absolute = _absolute(arguments[0])
            for reads in _active:
                reads.add(absolute)
        elif event in _LISTED and not isinstance(arguments[0], int):
            absolute = _absolute(arguments[0] or ".")
            for reads in _active:
                reads.add_folder(absolute)
        elif event in _GLOBBED:
            absolute = _absolute(_folder_of(*arguments))
            for reads in _active:
                reads.add_folder(absolute)


def _is_read(path: Any, _mode: Any, flags: int) -> bool:
    is_read = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) != os.O_WRONLY
    return is_read and not isinstance(path, int) and not flags & _NOT_READ


def _absolute(path: Any) -> str:
    return os.path.normpath(Path(os.fsdecode(path)).absolute())


def _folder_of(start: Any, pattern: Any) -> Path:
    """Return the folder in which a pattern's first wildcard, or its last part, is looked for."""
    parts = Path(pattern).parts[:-1]
    plain = itertools.takewhile(lambda part: not _WILDCARDS.intersection(part), parts)
    return Path(start, *plain)


def _is_missing_data(folder: Path) -> bool:
    if folder.exists() or installed(folder) or str(folder) in map(os.path.abspath, sys.path):
        return False
    return not any(folder.is_relative_to(prefix) for prefix in (sys.prefix, sys.base_prefix))


def _is_own(path: Path, roots: set[Path]) -> bool:
    if path.suffix == ".py" or not path.is_file():
        return False
    spellings = {path, path.resolve()}
    if any(installed(spelling) for spelling in spellings):
        return False
    inside = [(s, root) for s in spellings for root in roots if s.is_relative_to(root)]
    return bool(inside) and not any(_is_foreign(spelling, root) for spelling, root in inside)


def _is_foreign(path: Path, root: Path) -> bool:
    import tempfile

    folders = path.relative_to(root).parts[:-1]
    if any(name in _FOREIGN or name.endswith(_METADATA) for name in folders):
        return True
    others = (Path(other) for other in (sys.prefix, sys.base_prefix, tempfile.gettempdir()))
    inside = (other for other in others if other != root and other.is_relative_to(root))
    return any(path.is_relative_to(other) for other in inside)

"""Record which files of a project are opened for reading while code of the user runs.

Python reports each file that it opens as the audit event `open`. Files that C libraries open, such
as TensorFlow's `tf.io` and HDF5, and files that another process opens are not seen.
"""

from __future__ import annotations

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
_METADATA = (".dist-info", ".egg-info")
"""Folders of an installed package's metadata, which imports read; an editable install puts them
beside the source."""
_NOT_READ = os.O_TRUNC | os.O_EXCL
"""Flags with which a file is new or emptied."""


@final
class FileReads:
    """The files below `project` that were opened for reading."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._paths: set[str] = set()

    def add(self, path: str) -> None:
        """Record an absolute path of any file."""
        self._paths.add(path)

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
    if event != "open" or not _active:
        return
    path, _mode, flags = arguments
    is_read = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) != os.O_WRONLY
    if isinstance(path, int) or not is_read or flags & _NOT_READ:
        return
    # An exception here would reach the user's code: the path may be invalid, the folder deleted.
    with suppress(OSError, ValueError, TypeError):
        absolute = os.path.normpath(Path(os.fsdecode(path)).absolute())
        for reads in _active:
            reads.add(absolute)


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

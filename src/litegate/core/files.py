"""Write files atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(
    path: Path, data: bytes, *, check: Callable[[Path], object] | None = None
) -> None:
    """Write to a temporary file in the same folder, then rename it to `path`.

    The new file has the permissions of the file that it replaces. `check` gets the temporary file,
    which has the suffix of `path`, and may raise. Raises OSError on failure, such as a full disk.
    After any exception `path` is unchanged, and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open_new(path.parent, f".{path.name}.", path.suffix if check else "")
    temporary = Path(file.name)
    try:
        with file:
            file.write(data)
        if check:
            check(temporary)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def shown_path(path: Path, project: Path) -> str:
    """Return a path for a message: relative to the project, or the name of a file elsewhere."""
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else path.name


def open_new(folder: Path, prefix: str, suffix: str = "") -> BinaryIO:
    """Create a file with a name of its own, and the permissions of any new file.

    The files of `tempfile` are hidden from other users, and stay so when they are renamed. Raises
    OSError if the file cannot be created.
    """
    path = tempfile.mktemp(suffix, prefix, folder)  # noqa: S306 never overwrites
    return Path(path).open("xb")

"""Write files atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it to `path`.

    The new file has the permissions of the file that it replaces. Raises OSError on failure, such
    as a full disk; `path` is unchanged then, and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open_new(path.parent, f".{path.name}.")
    temporary = Path(file.name)
    try:
        with file:
            file.write(data)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def open_new(folder: Path, prefix: str) -> BinaryIO:
    """Create a file with a name of its own, and the permissions of any new file.

    The files of `tempfile` are hidden from other users, and stay so when they are renamed. Raises
    OSError if the file cannot be created.
    """
    return Path(tempfile.mktemp(dir=folder, prefix=prefix)).open("xb")  # noqa: S306 never overwrites

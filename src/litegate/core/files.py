"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_READABLE = 0o644


def write_whole(path: Path, data: bytes) -> None:
    """Write under a temporary name beside it and move into place.

    A file that is replaced leaves its permissions behind. OSError where it cannot be, as on a full
    disk: then `path` is what it was, and nothing else is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if path.exists():
            shutil.copymode(path, part)
        else:
            part.chmod(_READABLE)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise

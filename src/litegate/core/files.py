"""Write files atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_DEFAULT_MODE = 0o644  # mkstemp's own mode, 0o600, would hide reports from other users


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it to `path`.

    The new file has the permissions of the file that it replaces. Raises OSError on failure, such
    as a full disk; `path` is unchanged then, and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if path.exists():
            shutil.copymode(path, temporary)
        else:
            temporary.chmod(_DEFAULT_MODE)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

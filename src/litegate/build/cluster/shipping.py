"""Pack the files of a project that git tracks, for the workers."""

from __future__ import annotations

import zipfile
from pathlib import Path

from litegate.core.errors import ConfigError
from litegate.core.git import tracked_files

MOST_BYTES = 100 * 10**6
"""The largest project that is sent: Ray keeps the package in the memory of its head node, and takes
512 MiB in one message. A fifth of it leaves room, and is more than code needs."""
_LARGEST = 5
"""Files that the error names: to take the largest out of git is what helps, and a few of them are
most of the bytes."""


def pack(project: Path, archive: Path) -> None:
    """Write a zip archive of the tracked files below `project`, as they are now.

    Raises ConfigError outside of git, above `MOST_BYTES`, and for a file that cannot be read or
    packed. Links that lead out of the project, submodules and deleted files are left out.
    """
    root = project.resolve()
    files = [name for name in tracked_files(project) if _is_own_file(root / name, root)]
    _demand_small({name: (root / name).stat().st_size for name in files})
    try:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
            for name in sorted(files):
                # Without its date: Ray then knows an unchanged project by its digest.
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (root / name).stat().st_mode << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                package.writestr(entry, (root / name).read_bytes())
    except (OSError, ValueError) as error:  # a name that is no UTF-8 is a ValueError
        raise ConfigError(
            "the project's files cannot be packed for the Ray workers", got=str(error)
        ) from error


def _is_own_file(path: Path, root: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root)


def _demand_small(sizes: dict[str, int]) -> None:
    total = sum(sizes.values())
    if total > MOST_BYTES:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_LARGEST]
        raise ConfigError(
            "the files that git tracks are too large to send to the Ray workers",
            expected=f"at most {MOST_BYTES:,} B",
            got=f"{total:,} B: " + ", ".join(f"{name} {sizes[name]:,} B" for name in largest),
            remedy="take data out of git, and load them from a path that the workers have "
            "(LITEGATE_DATA), or from a URL",
        )

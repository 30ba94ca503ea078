"""The import path as a project sees it: which of its own folders modules are imported from."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of litegate's own source, `src/litegate` or `site-packages/litegate`."""


def installed(path: Path) -> bool:
    """Whether a path lies among installed packages, Python's own modules, or is litegate's."""
    return any(path.is_relative_to(folder) for folder in _foreign())


@cache
def _foreign() -> tuple[Path, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return (PACKAGE, *(Path(sysconfig.get_path(kind)).resolve() for kind in kinds))


def own_folders(project: Path) -> tuple[Path, ...]:
    """The folders of this process's import path at or below a project, in their order.

    Installed packages are none, also where their environment lies below the project.
    """
    root = project.resolve()
    found = (Path(entry or ".").resolve() for entry in sys.path)
    own = (one for one in found if one.is_relative_to(root) and one.is_dir())
    return tuple(dict.fromkeys(one for one in own if not installed(one)))


def path_for(project: Path, checkout: Path) -> list[str]:
    """The import path for a process that works on another checkout of a project.

    It is that of this process, with that checkout's folders in the place of the project's own, from
    which its modules would be imported else. litegate itself is that of this process.
    """
    entries = [str(Path(entry or ".").resolve()) for entry in sys.path]
    if project.resolve() == checkout.resolve():
        return entries
    own = {str(one) for one in own_folders(project) if one != PACKAGE.parent}
    there = [
        str(checkout.resolve() / Path(one).relative_to(project.resolve())) if one in own else one
        for one in entries
    ]
    return list(dict.fromkeys(there))

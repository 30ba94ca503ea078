"""Describe a worker. Sent to it by value: litegate may be missing there, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def facts(packages: Sequence[str], shared_file: str) -> dict[str, Any]:
    """Return what a worker must have in common with this machine.

    `packages` are distributions whose versions count; `shared_file` is a file in the shared folder,
    or empty. Uses the standard library alone until it knows that litegate is installed.
    """
    import os
    import platform
    import sys
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    def installed(package: str) -> str:
        names = (package, "tensorflow-cpu") if package == "tensorflow" else (package,)
        for name in names:
            try:
                return version(name)
            except PackageNotFoundError:
                continue
        return ""

    toolchain = ""
    try:
        import litegate
        from litegate.spec.artifact_keys import toolchain_digest
    except ImportError:
        pass
    else:
        toolchain = toolchain_digest(Path(litegate.__file__).parent / "build" / "toolchain")
    return {
        "host": platform.node(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "versions": {package: installed(package) for package in packages},
        "toolchain": toolchain,
        "shares_store": not shared_file or os.path.exists(shared_file),  # noqa: PTH110 as a text
    }

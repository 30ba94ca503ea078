"""What a verdict was taken by, as one digest: models, checks, waivers and settings, to the byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from litegate.core.options import GateOptions
from litegate.regression.waivers import FILE
from litegate.spec.digests import digest_of

_SETTINGS = ("pyproject.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")


def sources_digest(options: GateOptions) -> str:
    """Another one after whatever could have changed a limit, a check, a waiver or a setting.

    Of the files in the folders of models and checks, the conftests and settings above them, and the
    waivers. After an edit that changes no promise it is another one, too: a run settles that.
    """
    files = sorted(set(_files(options)))
    return digest_of(
        {
            file.relative_to(options.project).as_posix()
            if file.is_relative_to(options.project)
            else str(file): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }
    )


def _files(options: GateOptions) -> Iterator[Path]:
    for folder in (options.models, options.checks):
        yield from (file for file in folder.rglob("*") if file.suffix in (".py", ".toml"))
    above = (one for one in options.checks.parents if one.is_relative_to(options.project))
    named = [folder / "conftest.py" for folder in above]
    named += [options.project / name for name in (FILE, *_SETTINGS)]
    yield from (file for file in named if file.is_file())

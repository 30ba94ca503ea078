"""Turn exceptions into `Failure` reports, with the location in the user's code."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import final

from litegate.build.toolchain.protocol import Failure
from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable, LitegateError
from litegate.core.files import shown_path

LONGEST = 1500
"""Characters of an exception's text: TensorFlow's may contain a whole graph.

1,500 are some 15 lines, which fit a terminal with litegate's own sentence above them. The beginning
is kept, which names the error; a cut may lose the operation that is named last."""
_GENERATED = "__autograph_generated_file"
"""Begins the names of files that TensorFlow writes into a temporary folder, below the store."""
_LITEGATE = Path(__file__).resolve().parents[2]
_KINDS: dict[type[LitegateError], str] = {
    DataUnavailable: "data-unavailable",
    DataError: "data",
    ConfigError: "config",
}


@final
class ToolchainError(BuildError):
    """An error of the tool chain, with the kind of the failure."""

    def __init__(
        self, kind: str, what: str, *, expected: str = "", got: str = "", remedy: str = ""
    ) -> None:
        super().__init__(what, expected=expected, got=got, remedy=remedy)
        self.kind = kind


def failure(error: BaseException, *, stage: str, project: Path) -> Failure:
    """Return the report for an exception that ended the build in `stage`."""
    if isinstance(error, LitegateError):
        return _litegate_failure(error)
    file, line = user_location(error.__traceback__, project)
    text = f"{type(error).__name__}: {error}"[:LONGEST]
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        remedy = "free memory, or reduce Training(batch_size=...) or the network"
        return Failure(kind="memory", what="out of memory", got=text, remedy=remedy)
    if file:
        return Failure(
            kind="builder",
            what="the model's own code raised an exception",
            got=text,
            remedy=f"correct {shown_path(Path(file).resolve(), project.resolve())}:{line}",
            file=file,
            line=line,
        )
    if stage == "convert":
        remedy = "check for a layer or a shape that TensorFlow Lite does not support"
        return Failure(kind="convert", what="the conversion failed", got=text, remedy=remedy)
    if stage in ("check layers", "quantize"):
        remedy = "leave the layer that it names out by float_layers=(...), or try int8_ptq"
        return Failure(kind="other", what="tfmot failed", got=text, remedy=remedy)
    remedy = "search for this message in TensorFlow's documentation"
    return Failure(kind="other", what="an unexpected exception", got=text, remedy=remedy)


def _litegate_failure(error: LitegateError) -> Failure:
    kind = error.kind if isinstance(error, ToolchainError) else _KINDS.get(type(error), "other")
    return Failure(
        kind=kind, what=error.what, expected=error.expected, got=error.got, remedy=error.remedy
    )


def user_location(trace: TracebackType | None, project: Path) -> tuple[str, int]:
    """Return file and line of the innermost frame in the user's code; "" and 0 without one."""
    frames = [f for f in traceback.extract_tb(trace) if is_user_file(f.filename, project)]
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else ("", 0)


def is_user_file(filename: str, project: Path) -> bool:
    """Return True if a file is below the project, not installed, and not part of litegate."""
    path = Path(filename).resolve()
    if path.name.startswith(_GENERATED):
        return False
    # A virtual environment often lies inside the project.
    is_installed = path.is_relative_to(Path(sys.prefix).resolve()) or "site-packages" in path.parts
    return (
        path.is_relative_to(project.resolve())
        and not is_installed
        and not path.is_relative_to(_LITEGATE)
    )

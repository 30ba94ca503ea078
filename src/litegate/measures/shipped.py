"""Check that the file in the project that ships is the one that was judged."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

from litegate.core.digests import short_digest
from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import Name
from litegate.runtimes.vela import compile_file
from litegate.spec import Artifact, Vela
from litegate.tflite.npu import npu_operators
from litegate.tflite.parser import parse

_LFS_POINTER = b"version https://git-lfs"


def shipped_violations(candidate: Artifact, file: Path, vela: Vela | None = None) -> Measurement:
    """Measure 1 if `file` differs from the candidate's bytes, and 0 otherwise; name the remedy.

    A file that Vela compiled is compared with the candidate compiled again; `vela` is the value of
    the fixture of that name. Raises MeasurementError if the file exists and cannot be read, and as
    `compile_file`.
    """
    shown = candidate.recipe.shipped or str(file)
    problem, evidence = _compare(candidate, file, shown, vela)
    measurement = violations(
        Name.SHIPPED_DIFFERENCES,
        candidate.name,
        (f"{shown} {problem}",) if problem else (),
        n=1,
        artifacts=(candidate.sha256,),
    )
    return replace(measurement, evidence=evidence)


def describe_bytes(tflite: bytes) -> str:
    """Describe a file for a message: the start of its SHA-256, and its size."""
    return f"sha256 {short_digest(hashlib.sha256(tflite).hexdigest())}, {len(tflite):,} B"


def export_command(model: str, recipe: str, shown: str, *, compiled: bool) -> str:
    """Return the command that writes the file that ships."""
    words = ("litegate", "export", model, recipe, *(("--compiled",) if compiled else ()))
    return shlex.join((*words, "--to", shown))


def is_compiled_file(file: Path) -> bool:
    """Return True for a file that Vela compiled; False also for one that cannot be read."""
    try:
        return _is_compiled(file.read_bytes())
    except OSError:
        return False


def _is_compiled(tflite: bytes) -> bool:
    try:
        return npu_operators(parse(tflite)) > 0
    except ArtifactError:
        return False


Comparison = tuple[str, tuple[str, ...]]
"""The difference between a file and the one that should ship, or an empty text; and evidence."""


def _compare(candidate: Artifact, file: Path, shown: str, vela: Vela | None) -> Comparison:
    described = describe_bytes(candidate.tflite)
    command = partial(export_command, candidate.model, candidate.recipe.name, shown)
    remedy = f"the gated file is {described}: run `{command(compiled=False)}`"
    if not file.exists():
        alternative = f", or `{command(compiled=True)}`" if vela else ""
        return f"is missing; {remedy}{alternative}", ()
    data = _read(file, shown)
    if data == candidate.tflite:
        return "", ()
    if data.startswith(_LFS_POINTER):
        return "is a Git LFS pointer instead of the file: run `git lfs pull`", ()
    if _is_compiled(data):
        return _compare_compiled(candidate, data, vela, command(compiled=True))
    return f"is {describe_bytes(data)}; {remedy}", ()


def _compare_compiled(
    candidate: Artifact, data: bytes, vela: Vela | None, command: str
) -> Comparison:
    """Compare a compiled file with the candidate compiled again; `command` writes the latter."""
    if vela is None:
        return (
            "is compiled by Vela; to compile the gated file again, set Budget(vela=...), and let"
            " the check request the fixture `vela`, as checks/test_shipped.py does"
        ), ()
    compiled = compile_file(candidate.tflite, vela, candidate.name)
    evidence = (f"compiled again by Vela {compiled.version}: {vela.identified(Path())}",)
    if data == compiled.tflite:
        return "", evidence
    expected = f"Vela compiles the gated file to {describe_bytes(compiled.tflite)}"
    return f"is {describe_bytes(data)}; {expected}: run `{command}`", evidence


def _read(file: Path, shown: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise MeasurementError(
            f"{shown} cannot be read",
            expected="the shipped .tflite file",
            got=str(error.strerror or error),
            remedy="correct the recipe's shipped=..., or the file's permissions",
        ) from error

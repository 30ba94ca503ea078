"""Implement `litegate inspect`: describe a file without running it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.common import read
from litegate.core.digests import short_digest
from litegate.measures.structure.inspection import inspection
from litegate.report.inspection import as_json, show
from litegate.spec.targets import KNOWN, load


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tflite file.")],
    *,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET", help="A target's name or .toml file; else all known ones."),
    ] = None,
    signature: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Which signature's graph, of a file with several; else the first."
        ),
    ] = "",
    to_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say what a file holds: operators, tensors, MACs, memory, what each target takes of it.

    The file is read and checked, never run.
    """
    targets = tuple(load(name, Path.cwd()) for name in target or KNOWN)
    tflite = read(file)
    inspected = inspection(tflite, targets, subject=str(file), signature=signature)
    digest = hashlib.sha256(tflite).hexdigest()
    if to_json:
        typer.echo(json.dumps({"file": str(file), "sha256": digest} | as_json(inspected), indent=1))
        return
    show(inspected, f"{file}: {len(tflite):,} B, sha256 {short_digest(digest)}")

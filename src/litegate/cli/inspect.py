"""Implement `litegate inspect`: describe a file without running it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.common import read
from litegate.core.digests import short_digest
from litegate.core.errors import ArtifactError, ConfigError
from litegate.core.escaping import listed, plain
from litegate.measures.structure.inspection import inspection
from litegate.report.inspection import as_json, refusals, show
from litegate.spec.targets import KNOWN, Target, load


def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="One or more .tflite files.")],
    *,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET", help="A target's name or .toml file (default: all known targets)."
        ),
    ] = None,
    signature: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The signature whose graph is shown (default: the first)."
        ),
    ] = "",
    to_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Print only what each --target does not support; exit status 1 if anything.",
        ),
    ] = False,
) -> None:
    """Describe a file: operators, tensors, MACs, memory, and which targets support it.

    The file is parsed and checked, never run. With several files, --json prints a list.
    """
    if check and (to_json or not target):
        raise ConfigError("--check needs --target and no --json", remedy="name the target")
    targets = tuple(load(name, Path.cwd()) for name in target or KNOWN)
    if check:
        raise typer.Exit(int(_print_refusals(files, targets, signature)))
    documents = []
    for file in files:
        tflite = read(file)
        inspected = inspection(tflite, targets, subject=str(file), signature=signature)
        digest = hashlib.sha256(tflite).hexdigest()
        documents.append({"file": str(file), "sha256": digest} | as_json(inspected))
        if not to_json:
            show(inspected, f"{file}: {len(tflite):,} B, sha256 {short_digest(digest)}")
    if to_json:
        typer.echo(json.dumps(documents if len(files) > 1 else documents[0], indent=1))


def _print_refusals(files: Sequence[Path], targets: tuple[Target, ...], signature: str) -> bool:
    """Print what the targets do not take, and errors; return True if there is anything."""
    is_refused = False
    for file in files:
        try:
            inspected = inspection(read(file), targets, subject=str(file), signature=signature)
            lines = [*refusals(inspected, str(file))]
        except ArtifactError as error:  # the other files are checked all the same
            lines = str(error).splitlines()
        is_refused |= bool(lines)
        for line in lines:
            typer.echo(line)
    if not is_refused:
        taken_by = " and ".join(target.name for target in targets)
        typer.echo(plain(f"{listed([*map(str, files)])}: supported by {taken_by}"))
    return is_refused

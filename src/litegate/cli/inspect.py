"""Implement `litegate inspect`: describe a file, and try it on runtimes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from litegate.cli.common import demand_runtimes, read
from litegate.core.digests import short_digest
from litegate.core.errors import ArtifactError, ConfigError
from litegate.core.escaping import listed, plain
from litegate.measures.structure.inspection import Inspection, inspection
from litegate.measures.structure.runtime_trial import RuntimeTrial, try_on
from litegate.report.inspection import as_json, refusals, show
from litegate.spec.runtimes import RUNTIMES
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
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUNTIME",
            help=f"Run the file there, in a child process: {', '.join(RUNTIMES)}, or a runtime"
            " that a model of this project declares.",
        ),
    ] = None,
    to_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Print only what each --target or --runtime does not support; exit status 1 if"
            " anything.",
        ),
    ] = False,
) -> None:
    """Describe a file: operators, tensors, MACs, memory, and which targets support it.

    The file is parsed and checked; only --runtime runs it. With several files, --json prints a
    list.
    """
    if check and (to_json or not (target or runtime)):
        raise ConfigError(
            "--check needs --target or --runtime, and no --json",
            remedy="name the target or the runtime",
        )
    names = target or (() if check else KNOWN)
    targets = tuple(load(name, Path.cwd()) for name in names)
    demand_runtimes(runtime or ())
    trial = partial(_inspect, targets=targets, runtimes=tuple(runtime or ()), signature=signature)
    if check:
        raise typer.Exit(int(_print_refusals(files, trial, [*names, *(runtime or ())])))
    documents = []
    for file in files:
        tflite = read(file)
        inspected, trials = trial(file, tflite)
        digest = hashlib.sha256(tflite).hexdigest()
        if to_json:
            documents.append({"file": str(file), "sha256": digest} | as_json(inspected, trials))
        else:
            show(inspected, f"{file}: {len(tflite):,} B, sha256 {short_digest(digest)}", trials)
    if to_json:
        typer.echo(json.dumps(documents if len(files) > 1 else documents[0], indent=1))


def _inspect(
    file: Path,
    tflite: bytes,
    *,
    targets: tuple[Target, ...],
    runtimes: tuple[str, ...],
    signature: str,
) -> tuple[Inspection, tuple[RuntimeTrial, ...]]:
    inspected = inspection(tflite, targets, subject=str(file), signature=signature)
    trials = (try_on(name, tflite, subject=str(file), signature=signature) for name in runtimes)
    return inspected, tuple(trials)


def _print_refusals(
    files: Sequence[Path],
    inspect_file: Callable[[Path, bytes], tuple[Inspection, tuple[RuntimeTrial, ...]]],
    takers: Sequence[str],
) -> bool:
    """Print what the targets and runtimes do not take, and errors; return True if any."""
    is_refused = False
    for file in files:
        try:
            lines = [*refusals(*inspect_file(file, read(file)), str(file))]
        except ArtifactError as error:  # the other files are checked all the same
            lines = str(error).splitlines()
        is_refused |= bool(lines)
        for line in lines:
            typer.echo(line)
    if not is_refused:
        typer.echo(plain(f"{listed([*map(str, files)])}: supported by {' and '.join(takers)}"))
    return is_refused

"""Implement `litegate strip`: write a smaller file with the same answers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from litegate.build.toolchain.strip import stripped
from litegate.cli.common import read
from litegate.cli.export import write
from litegate.core.escaping import plain
from litegate.runtimes.equivalence import SAMPLES, demand_same_outputs, draw_samples
from litegate.runtimes.sandbox import run_in_sandbox
from litegate.tflite.parser import parse


def strip(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tflite file.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.", dir_okay=False)],
) -> None:
    """Take out of a file what no device reads: names of tensors, notes, debug metadata.

    It is written only where both files give the same bits on drawn samples, by each of LiteRT's
    kernels.
    """
    tflite = read(file)
    names = [signature.name for signature in parse(tflite, subject=str(file)).signatures]
    signatures = names if len(names) > 1 else [""]
    samples = {name: draw_samples(tflite, subject=str(file), signature=name) for name in signatures}
    run_in_sandbox(tflite, subject=str(file))
    smaller = stripped(tflite, subject=str(file))
    for name, x in samples.items():
        demand_same_outputs(tflite, smaller, x, subject=str(file), signature=name)
    write(smaller, to)
    saved = 1 - len(smaller) / len(tflite)
    digest = hashlib.sha256(smaller).hexdigest()
    typer.echo(plain(f"{to}: {len(tflite):,} B to {len(smaller):,} B ({saved:.1%} less)"))
    typer.echo(f"the same answers to the bit on {SAMPLES:,} samples; sha256 {digest}")

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
from litegate.runtimes.drawn_inputs import SAMPLES, Answers
from litegate.runtimes.equivalence import demand_same_answers
from litegate.runtimes.litert import Kernels
from litegate.runtimes.sandbox import run_in_sandbox
from litegate.tflite.parser import parse


def strip(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tflite file.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.", dir_okay=False)],
) -> None:
    """Remove from a file what no device reads: names of tensors, notes, debug metadata.

    Writes the file only if both files have the same graph and the same outputs, to the bit, on
    random samples with each of LiteRT's kernels.
    """
    tflite = read(file)
    names = [signature.name for signature in parse(tflite, subject=str(file)).signatures]
    run_in_sandbox(tflite, subject=str(file))
    smaller = stripped(tflite, subject=str(file))
    answers = [
        pair
        for name in (names if len(names) > 1 else [""])
        for pair in demand_same_answers(tflite, smaller, subject=str(file), signature=name).items()
    ]
    write(smaller, to)
    saved = 1 - len(smaller) / len(tflite)
    digest = hashlib.sha256(smaller).hexdigest()
    typer.echo(plain(f"{to}: {len(tflite):,} B to {len(smaller):,} B ({saved:.1%} less)"))
    typer.echo(plain(f"{_proof(answers)}; sha256 {digest}"))


def _proof(answers: list[tuple[Kernels, Answers]]) -> str:
    """Return what was proved, and the first reason why LiteRT did not run the file."""
    refusals = [(kernels, answer.refusal) for kernels, answer in answers if not answer.samples]
    if not refusals:
        return f"the same outputs to the bit on {SAMPLES:,} samples"
    kernels, refusal = refusals[0]
    reason = f"not run on random samples by the {kernels} kernels: {' '.join(refusal.split())}"
    if len(refusals) == len(answers):
        return f"the same operators and constants ({reason})"
    return f"the same outputs to the bit on {SAMPLES:,} samples ({reason})"

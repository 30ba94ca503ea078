"""Implement `litegate compare`: compare two files; the exit status is the verdict."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from litegate.cli.common import distinct_names, print_error, read
from litegate.core.errors import LitegateError
from litegate.data.npz import LabelledSamples, read_samples
from litegate.measures.measurement import Outcome
from litegate.measures.regression.file_comparison import (
    FileComparison,
    compare,
    file_artifact,
    zero_sample,
)
from litegate.report.comparison import as_json, show
from litegate.runtimes.sandbox import run_in_sandbox

ERROR = 2
"""Exit status if the files could not be compared; 1 means that B is worse."""


def compare_files(
    a: Annotated[
        Path, typer.Argument(help="The .tflite file to compare with (the base).", metavar="A")
    ],
    b: Annotated[Path, typer.Argument(help="The changed .tflite file.", metavar="B")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An .npz file with preprocessed samples x (x.NAME for each of several "
            "inputs) and labels y.",
        ),
    ] = None,
    signature: Annotated[
        str, typer.Option(metavar="NAME", help="The signature to run, if a file has several.")
    ] = "",
    output: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The output that the labels belong to (default: the first)."
        ),
    ] = "",
    latency: Annotated[
        bool,
        typer.Option(
            "--latency", help="Measure the latency of both, interleaved in fresh processes."
        ),
    ] = False,
    to_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare file B with file A: size, types, operators, MACs, memory, and outputs with --data.

    Applies the default regression limits. Exit status 0: B keeps them; 1: B is worse; 2: the files
    could not be compared.
    """
    try:
        comparison = _compared(a, b, data, latency=latency, signature=signature, output=output)
    except LitegateError as error:
        print_error(error)
        raise typer.Exit(ERROR) from None
    except Exception:  # noqa: BLE001 a traceback's exit status 1 would mean that B is worse
        traceback.print_exc()
        raise typer.Exit(ERROR) from None
    if to_json:
        typer.echo(json.dumps({"a": str(a), "b": str(b)} | as_json(comparison), indent=1))
    else:
        show(comparison, str(a), str(b))
    raise typer.Exit(int(comparison.outcome is Outcome.FAIL))


def _compared(
    a: Path, b: Path, data: Path | None, *, latency: bool, signature: str, output: str
) -> FileComparison:
    files = [read(path) for path in (a, b)]
    names = distinct_names(a, b)
    samples = (
        read_samples(data)
        if data
        else _without_data(files[1], names[1], signature, latency=latency)
    )
    sides = [
        file_artifact(name, tflite, samples, signature=signature, output=output)
        for name, tflite in zip(names, files, strict=True)
    ]
    if data or latency:
        for compared_side in sides:
            run_in_sandbox(compared_side.tflite, subject=compared_side.name)
    labelled = samples.y is not None
    return compare(*sides, run=data is not None, labelled=labelled, latency=latency)


def _without_data(tflite: bytes, name: str, signature: str, *, latency: bool) -> LabelledSamples:
    """Return no samples, or one of zeros if the files are timed."""
    x = zero_sample(tflite, name, signature) if latency else np.empty(0, dtype=np.float32)
    return LabelledSamples(x=x)

"""Implement `litegate compare`: compare two files; the exit status is the verdict."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, final

import numpy as np
import typer

from litegate.cli.common import demand_runtimes, distinct_names, print_error, read
from litegate.core.errors import ConfigError, LitegateError
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
from litegate.spec.runtimes import RUNTIMES, XNNPACK

ERROR = 2
"""Exit status if the files could not be compared; 1 means that B is worse."""


def compare_files(  # noqa: PLR0913 options of a command
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
            "inputs) and labels y; with lengths, x has the frames of sequences, whose last frame "
            "answers.",
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
    runtime: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help=f"The runtimes that both are run on, separated by commas: {', '.join(RUNTIMES)},"
            " or a runtime that a model of this project declares.",
        ),
    ] = XNNPACK,
    to_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare file B with file A: size, types, operators, MACs, memory, and outputs with --data.

    Applies the default regression limits. Exit status 0: B keeps them; 1: B is worse; 2: the files
    could not be compared.
    """
    try:
        request = _Request(
            data=data,
            signature=signature,
            output=output,
            latency=latency,
            runtimes=_runtimes(runtime, data),
        )
        comparison = _compared(a, b, request)
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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The choices of one comparison of two files."""

    data: Path | None
    signature: str
    output: str
    latency: bool
    runtimes: tuple[str, ...]


def _runtimes(names: str, data: Path | None) -> tuple[str, ...]:
    """Return the named runtimes. Raises ConfigError for one that this machine does not have."""
    runtimes = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    demand_runtimes(runtimes)
    if runtimes != (XNNPACK,) and data is None:
        raise ConfigError("--runtime needs --data: without samples nothing is run")
    return runtimes


def _compared(a: Path, b: Path, request: _Request) -> FileComparison:
    files = [read(path) for path in (a, b)]
    names = distinct_names(a, b)
    samples = (
        read_samples(request.data) if request.data else _without_data(files[1], names[1], request)
    )
    sides = [
        file_artifact(name, tflite, samples, signature=request.signature, output=request.output)
        for name, tflite in zip(names, files, strict=True)
    ]
    if (request.data and XNNPACK in request.runtimes) or request.latency:
        for compared_side in sides:
            run_in_sandbox(compared_side.tflite, subject=compared_side.name)
    return compare(
        *sides,
        run=request.data is not None,
        labelled=samples.y is not None,
        latency=request.latency,
        runtimes=request.runtimes,
    )


def _without_data(tflite: bytes, name: str, request: _Request) -> LabelledSamples:
    """Return no samples, or one of zeros if the files are timed."""
    if not request.latency:
        return LabelledSamples(x=np.empty(0, dtype=np.float32))
    return LabelledSamples(x=zero_sample(tflite, name, request.signature))

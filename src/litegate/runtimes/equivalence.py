"""Prove that a stripped file gives bit-identical outputs to the original file."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from litegate.core.errors import BuildError, LitegateError
from litegate.data.disk_arrays import in_parts
from litegate.runtimes.drawn_inputs import SAMPLES, Answers, answer_drawn
from litegate.runtimes.inference import all_outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Samples
from litegate.tflite.same_graph import demand_same_graph

_Answers = tuple[tuple[str, str, tuple[int, ...], str], ...]
"""The name, type, shape and SHA-256 of each output."""


def demand_same_outputs(
    converted: bytes,
    stripped: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    signature: str = "",
) -> None:
    """Run both files on real-valued samples of shape (n, ...), with each of LiteRT's kernels.

    Raises BuildError if any bit of an output differs, or if a file cannot be run.
    """
    chosen = samples[np.unique(np.linspace(0, len(samples) - 1, SAMPLES).astype(int))]
    for kernels in Kernels:
        before, after = (
            _answers(tflite, chosen, subject, kernels, signature)
            for tflite in (converted, stripped)
        )
        if before != after:
            raise _changed(subject, len(chosen), kernels, before, after)


def demand_same_answers(
    converted: bytes, stripped: bytes, *, subject: str = "the model", signature: str = ""
) -> dict[Kernels, Answers]:
    """Compare the graphs of both files; run both on drawn inputs, with each of LiteRT's kernels.

    Returns the original's answers; LiteRT may run it on no drawn input. Raises BuildError for
    another graph, or if any bit of an output differs.
    """
    demand_same_graph(converted, stripped, subject=subject)
    return {
        kernels: _same_answers(converted, stripped, kernels, subject, signature)
        for kernels in Kernels
    }


def _same_answers(
    converted: bytes, stripped: bytes, kernels: Kernels, subject: str, signature: str
) -> Answers:
    before, after = (
        answer_drawn(tflite, kernels, subject=subject, signature=signature)
        for tflite in (converted, stripped)
    )
    if before.outputs == after.outputs:
        return before
    again = answer_drawn(converted, kernels, subject=subject, signature=signature)
    if before.outputs != again.outputs:
        return Answers(samples=0, refusal="its outputs differ between runs")
    raise _changed(subject, before.samples, kernels, before.outputs, after.outputs)


def _changed(
    subject: str, samples: int, kernels: Kernels, before: _Answers, after: _Answers
) -> BuildError:
    return BuildError(
        f"stripping {subject} changed its outputs",
        expected=f"the same bits on {samples:,} samples by the {kernels} kernels",
        got=f"{_first_difference(before, after)} outputs that differ",
        remedy="use the file without stripping, and report this bug",
    )


def _first_difference(converted: _Answers, stripped: _Answers) -> str:
    pairs = zip(converted, stripped, strict=False)
    differing = (before for before, after in pairs if before != after)
    name, dtype, *_ = next(differing, (*converted, ("no", "", (), ""))[0])
    return f"{dtype}" if len(converted) == 1 else f"{dtype} {name}"


def _answers(
    tflite: bytes, samples: Samples, subject: str, kernels: Kernels, signature: str
) -> _Answers:
    try:
        outputs = all_outputs(
            tflite, samples, subject=subject, kernels=kernels, signature=signature
        )
    except LitegateError as error:
        raise BuildError(
            f"cannot prove that {subject} has the same outputs after stripping",
            got=str(error),
            remedy="remove strip=True",
        ) from error
    raws = {name: output.raw for name, output in outputs.items()}
    return tuple((name, str(raw.dtype), raw.shape, _digest(raw)) for name, raw in raws.items())


def _digest(raw: Any) -> str:
    """Return the SHA-256 of an output, which may be a `DiskArray`."""
    digest = hashlib.sha256()
    for part in in_parts(raw):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()

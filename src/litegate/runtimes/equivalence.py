"""Finishing: proof that a stripped file answers as the one that it was made of."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, BuildError, LitegateError
from litegate.runtimes.inference import all_outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Inputs, Samples
from litegate.tflite.graph import Tensor
from litegate.tflite.ports import called
from litegate.tflite.reader import parse

SAMPLES = 16
"""Samples that both files are run on, evenly spread over those given."""
_SEED = 20
"""Draws samples where there are none."""
_MOST = 1 << 24
_FREE = 64
"""The length of a free size besides the batch."""
_Answered = tuple[tuple[str, str, tuple[int, ...], bytes], ...]


def demand_same_answers(
    converted: bytes,
    stripped: bytes,
    samples: Samples,
    *,
    subject: str = "the model",
    signature: str = "",
) -> None:
    """Run both files on real-valued samples of shape (n, ...), by each of LiteRT's kernels.

    Raises BuildError where one bit of an output differs, or a file cannot be run.
    """
    chosen = samples[np.unique(np.linspace(0, len(samples) - 1, SAMPLES).astype(int))]
    for kernels in Kernels:
        before, after = (
            _answers(each, chosen, subject, kernels, signature) for each in (converted, stripped)
        )
        if before != after:
            raise BuildError(
                f"stripping {subject} changed what it answers",
                expected=f"the same bits on {len(chosen):,} samples by the {kernels} kernels",
                got=f"{_differing(before, after)} outputs that differ",
                remedy="leave strip=True out, and report the file",
            )


def _differing(before: _Answered, after: _Answered) -> str:
    found = (one for one, other in zip(before, after, strict=False) if one != other)
    name, dtype, *_ = next(found, before[0])
    return f"{dtype}" if len(before) == 1 else f"{dtype} {name}"


def _answers(
    tflite: bytes, samples: Samples, subject: str, kernels: Kernels, signature: str
) -> _Answered:
    """The name, the type, the shape and every bit of each output."""
    try:
        found = all_outputs(tflite, samples, subject=subject, kernels=kernels, signature=signature)
    except LitegateError as error:
        raise BuildError(
            f"it cannot be proved that {subject} answers the same when it is stripped",
            got=str(error),
            remedy="leave strip=True out",
        ) from error
    raws = {name: one.raw for name, one in found.items()}
    return tuple((name, str(raw.dtype), raw.shape, raw.tobytes()) for name, raw in raws.items())


def drawn(tflite: bytes, *, subject: str = "the model", signature: str = "") -> Samples:
    """`SAMPLES` samples for the inputs of a file, float32, shape (n, ...); `Inputs` of several.

    Real values, uniform over what a quantized input can hold, standard normal for a float one,
    zeros and ones for an integer or bool one without a scale. ArtifactError where the file has no
    input, or an input no fixed shape.
    """
    graph = parse(tflite, subject=subject, signature=signature)
    entries = called(graph, "inputs", signature)
    if not entries:
        raise _undrawn(subject, "no input")
    draw = np.random.default_rng(_SEED)
    found = {name: _drawn(draw, one, subject) for name, one in entries.items()}
    return Inputs(found) if len(found) > 1 else next(iter(found.values()))


def _drawn(draw: np.random.Generator, entry: Tensor, subject: str) -> NDArray[np.float32]:
    if not entry.shape or not 0 < prod(entry.shape) <= _MOST:
        raise _undrawn(subject, f"shape {entry.shape}")
    free = (size == -1 for size in entry.shape_signature[1:])
    sizes = zip(entry.shape[1:], free, strict=True)
    shape = (SAMPLES, *(_FREE if any_ else size for size, any_ in sizes))
    if entry.scales:
        held = np.iinfo(entry.dtype)
        integers = draw.integers(held.min, held.max, shape, endpoint=True) - entry.zero_points[0]
        return (integers * entry.scales[0]).astype(np.float32)
    if "float" in entry.dtype:
        return draw.standard_normal(shape, dtype=np.float32)
    return draw.integers(0, 1, shape, endpoint=True).astype(np.float32)


def _undrawn(subject: str, got: str) -> ArtifactError:
    return ArtifactError(
        f"no samples can be drawn for {subject}",
        expected=f"inputs of at most {_MOST:,} numbers each",
        got=got,
    )

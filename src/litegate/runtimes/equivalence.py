"""Prove that a stripped file gives bit-identical outputs to the original file."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, BuildError, LitegateError
from litegate.runtimes.inference import all_outputs
from litegate.runtimes.litert import Kernels
from litegate.spec import Inputs, Samples
from litegate.tflite.graph import Tensor
from litegate.tflite.parser import parse
from litegate.tflite.ports import graph_ports

SAMPLES = 16
"""Number of samples that both files are run on, spread evenly over those available.

Few, as stripping changes no operator and no weight: what it could break, it breaks for any sample.
They run with three sets of kernels, of which the reference kernels are ten times slower."""
_SEED = 20
"""Seeds the random samples, so that every run draws the same ones."""
_MOST_VALUES = 1 << 24
"""The largest input to draw samples for, in numbers: 64 MiB of float32 a sample, 1 GiB for all 16;
a damaged shape could ask for more than the machine has."""
_FREE_SIZE = 64
"""The length to use for a dynamic size other than the batch.

At the length of 1, with which LiteRT begins, a convolution along time finds too little input and
refuses the file. 64 are enough for a few convolutions and poolings; a longer one costs time, for
attention with the square of it.
"""
_Answers = tuple[tuple[str, str, tuple[int, ...], bytes], ...]
"""The name, type, shape and bytes of each output."""


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
            raise BuildError(
                f"stripping {subject} changed what it answers",
                expected=f"the same bits on {len(chosen):,} samples by the {kernels} kernels",
                got=f"{_first_difference(before, after)} outputs that differ",
                remedy="leave strip=True out, and report the file",
            )


def _first_difference(converted: _Answers, stripped: _Answers) -> str:
    pairs = zip(converted, stripped, strict=False)
    differing = (before for before, after in pairs if before != after)
    name, dtype, *_ = next(differing, converted[0])
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
            f"it cannot be proved that {subject} answers the same when it is stripped",
            got=str(error),
            remedy="leave strip=True out",
        ) from error
    raws = {name: output.raw for name, output in outputs.items()}
    return tuple((name, str(raw.dtype), raw.shape, raw.tobytes()) for name, raw in raws.items())


def draw_samples(tflite: bytes, *, subject: str = "the model", signature: str = "") -> Samples:
    """Draw `SAMPLES` random samples, float32 of shape (n, ...); `Inputs` for several inputs.

    Uniform over the range of a quantized input, standard normal for a float input, zeros and ones
    for an integer or bool input without a scale. Raises ArtifactError if the file has no input, or
    an input without a usable shape.
    """
    graph = parse(tflite, subject=subject, signature=signature)
    inputs = graph_ports(graph, "inputs", signature)
    if not inputs:
        raise _cannot_draw(subject, "no input")
    rng = np.random.default_rng(_SEED)
    samples = {name: _draw_input(rng, tensor, subject) for name, tensor in inputs.items()}
    return Inputs(samples) if len(samples) > 1 else next(iter(samples.values()))


def _draw_input(rng: np.random.Generator, tensor: Tensor, subject: str) -> NDArray[np.float32]:
    if not tensor.shape or not 0 < prod(tensor.shape) <= _MOST_VALUES:
        raise _cannot_draw(subject, f"shape {tensor.shape}")
    free = (size == -1 for size in tensor.shape_signature[1:])
    sizes = zip(tensor.shape[1:], free, strict=True)
    shape = (SAMPLES, *(_FREE_SIZE if is_free else size for size, is_free in sizes))
    if tensor.scales:
        limits = np.iinfo(tensor.dtype)
        integers = (
            rng.integers(limits.min, limits.max, shape, endpoint=True) - tensor.zero_points[0]
        )
        return (integers * tensor.scales[0]).astype(np.float32)
    if "float" in tensor.dtype:
        return rng.standard_normal(shape, dtype=np.float32)
    return rng.integers(0, 1, shape, endpoint=True).astype(np.float32)


def _cannot_draw(subject: str, got: str) -> ArtifactError:
    return ArtifactError(
        f"no samples can be drawn for {subject}",
        expected=f"inputs of at most {_MOST_VALUES:,} numbers each",
        got=got,
    )

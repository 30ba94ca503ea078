"""Finishing: proof that a stripped file answers as the one that it was made of."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.errors import ArtifactError, BuildError, LitegateError
from litegate.flatbuffer import parse
from litegate.runtime import Kernels, outputs

SAMPLES = 16
"""Samples that both files are run on, evenly spread over those given."""
_SEED = 20
"""Draws samples where there are none."""
_MOST = 1 << 24


def demand_same_answers(
    converted: bytes, stripped: bytes, samples: NDArray[Any], *, subject: str = "the model"
) -> None:
    """Run both files on real-valued samples of shape (n, ...), by each of LiteRT's kernels.

    Raises BuildError where one bit of an output differs, or a file cannot be run.
    """
    chosen = samples[np.unique(np.linspace(0, len(samples) - 1, SAMPLES).astype(int))]
    for kernels in Kernels:
        before, after = (_answers(each, chosen, subject, kernels) for each in (converted, stripped))
        if before != after:
            raise BuildError(
                f"stripping {subject} changed what it answers",
                expected=f"the same bits on {len(chosen):,} samples by the {kernels} kernels",
                got=f"{before[0]} outputs that differ",
                remedy="leave strip=True out, and report the file",
            )


def _answers(
    tflite: bytes, samples: NDArray[Any], subject: str, kernels: Kernels
) -> tuple[str, tuple[int, ...], bytes]:
    """The type, the shape and every bit of the outputs."""
    try:
        raw = outputs(tflite, samples, subject=subject, kernels=kernels).raw
    except LitegateError as error:
        raise BuildError(
            f"it cannot be proved that {subject} answers the same when it is stripped",
            got=str(error),
            remedy="leave strip=True out",
        ) from error
    return str(raw.dtype), raw.shape, raw.tobytes()


def drawn(tflite: bytes, *, subject: str = "the model") -> NDArray[np.float32]:
    """`SAMPLES` samples for the first input of a file, float32, shape (n, ...).

    Real values, uniform over what a quantized input can hold, standard normal for a float one.
    ArtifactError where the file has no input, or the input no fixed shape.
    """
    main = parse(tflite, subject=subject).main
    entry = main.tensors[main.inputs[0]] if main.inputs else None
    if entry is None or not entry.shape or not 0 < prod(entry.shape) <= _MOST:
        raise ArtifactError(
            f"no samples can be drawn for {subject}",
            expected=f"an input of at most {_MOST:,} numbers",
            got=f"shape {entry.shape}" if entry else "no input",
        )
    draw, shape = np.random.default_rng(_SEED), (SAMPLES, *entry.shape[1:])
    if not entry.scales:
        return draw.standard_normal(shape, dtype=np.float32)
    held = np.iinfo(entry.dtype)
    integers = draw.integers(held.min, held.max, shape, endpoint=True) - entry.zero_points[0]
    return (integers * entry.scales[0]).astype(np.float32)

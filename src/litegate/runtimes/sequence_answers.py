"""Compute the answer of each sequence from the outputs of its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import LitegateError, MeasurementError
from litegate.runtimes.detection import detect
from litegate.runtimes.outputs import Outputs
from litegate.spec import Detector, Evaluation, Frames, Sequences


def sequence_answers(
    outputs: Mapping[str, Outputs], split: Evaluation, subject: str
) -> dict[str, Outputs]:
    """Return the answers of m sequences, shape (m, ...), for each output of their frames.

    "last" and "max" keep the output's own type; other answers are float32. Raises MeasurementError
    if the user's function fails, or its answers are not numbers of one shape.
    """
    x, frames = split.x, split.sequences
    if frames is None or not isinstance(x, Sequences):
        return dict(outputs)
    stops = np.cumsum(x.lengths)
    return {name: _answers(output, stops, frames, subject) for name, output in outputs.items()}


def _answers(output: Outputs, stops: NDArray[Any], frames: Frames, subject: str) -> Outputs:
    if frames.answer == "last":
        return output[stops - 1]
    if frames.answer == "max":  # in the raw type: a quantized value grows with its real one
        return replace(output, raw=np.stack([rows.raw.max(axis=0) for rows in _by(output, stops)]))
    answer = _function(frames)
    rows = [_call(answer, part.real, number) for number, part in enumerate(_by(output, stops))]
    if len({row.shape for row in rows}) > 1 or any(row.dtype.kind not in "biuf" for row in rows):
        shapes = sorted({f"{row.dtype} of shape {row.shape}" for row in rows})
        raise MeasurementError(
            f"the answers of {subject} to sequences differ in shape, or are not numbers",
            expected="numbers of one shape for every sequence",
            got=" beside ".join(shapes),
            remedy="correct Frames(answer=...)",
        )
    port = replace(output.port, dtype=np.dtype(np.float32), scale=0.0, zero_point=0)
    return Outputs(raw=np.stack(rows).astype(np.float32), port=port)


def _by(output: Outputs, stops: NDArray[Any]) -> Iterator[Outputs]:
    """Yield the outputs of each sequence."""
    starts = [0, *stops[:-1].tolist()]
    return (output[start:stop] for start, stop in zip(starts, stops.tolist(), strict=True))


def _function(frames: Frames) -> Callable[[NDArray[Any]], Any]:
    """Return the function from the outputs of a sequence's frames to its answer."""
    answer = frames.answer
    if isinstance(answer, Detector):
        return lambda outputs: [len(detect(outputs, answer, frames.seconds))]
    if answer == "mean":
        return lambda outputs: outputs.mean(axis=0, dtype=np.float64)
    return answer  # type: ignore[return-value] # a name is "last", "max" or "mean"


def _call(answer: Callable[[NDArray[Any]], Any], outputs: NDArray[Any], number: int) -> Any:
    try:
        return np.atleast_1d(np.asarray(answer(outputs)))
    except LitegateError:
        raise
    except Exception as error:  # the user's function may raise anything
        raise MeasurementError(
            f"Frames(answer=...) failed on sequence {number}, of {len(outputs):,} frames",
            got=f"{type(error).__name__}: {error}",
        ) from error

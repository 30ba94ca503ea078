"""Pair the outputs of two artifacts; with several outputs the worst decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import ArtifactError, MeasurementError
from litegate.measures.accuracy.decisions import demand_finite_values
from litegate.measures.measurement import Measurement
from litegate.runtimes.answered_samples import Indices
from litegate.runtimes.inference import predict_all, predict_at
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact
from litegate.tflite.ports import find_port, join_names

OutputPair = TypeVar("OutputPair")


def pair_outputs(
    reference: Artifact, candidate: Artifact, chosen: Indices | None = None
) -> dict[str, tuple[Outputs, Outputs]]:
    """Return the outputs of two artifacts on one split, by the reference's names.

    All of them, or those for the samples with the indices `chosen`. A single output needs no common
    name. Raises MeasurementError if one artifact has an output that the other lacks.
    """
    theirs, ours = (
        predict_all(side) if chosen is None else predict_at(side, chosen)
        for side in (reference, candidate)
    )
    if len(theirs) == len(ours) == 1:
        return {name: (output, next(iter(ours.values()))) for name, output in theirs.items()}
    names = {name: own_name(ours, name, candidate.name) for name in theirs}
    demand_counterparts(names.values(), ours, candidate.name, reference.name)
    return {name: (output, ours[names[name]]) for name, output in theirs.items()}


def own_name(outputs: Mapping[str, Outputs], name: str, subject: str) -> str:
    """Return the artifact's own name of an output. Raises MeasurementError if it has none."""
    try:
        return find_port(
            {key: output.port for key, output in outputs.items()}, name, "output", subject
        )
    except ArtifactError as error:
        raise MeasurementError(
            error.what, expected=error.expected, got=error.got, remedy=error.remedy
        ) from None


def demand_counterparts(
    compared: Iterable[str], outputs: Mapping[str, Outputs], subject: str, counterpart: str
) -> None:
    """Raise MeasurementError if an artifact has outputs that are compared with nothing."""
    if unpaired := [name for name in outputs if name not in {*compared}]:
        raise MeasurementError(
            f"{counterpart} lacks the outputs {join_names(unpaired)} of {subject}",
            expected="outputs with the same names",
            remedy="build both from the same network",
        )


def class_outputs(
    pairs: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], subject: str
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return the outputs that choose between classes, if there are several outputs.

    An output of a single number is no decision; other measures compare its value, but it must be
    finite here too. Returns all outputs if none chooses, so that `decide` reports the error.
    """
    deciding = {
        name: pair for name, pair in pairs.items() if all(_width(scores) > 1 for scores in pair)
    }
    if not deciding:
        return dict(pairs)
    for name in pairs.keys() - deciding:
        for scores in pairs[name]:
            demand_finite_values(scores, f"{subject}, output {name}")
    return deciding


def class_scores(
    reference: Artifact, candidate: Artifact
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Return both artifacts' raw scores, for each output that chooses between classes."""
    pairs = pair_outputs(reference, candidate)
    raw = {name: (theirs.raw, ours.raw) for name, (theirs, ours) in pairs.items()}
    return class_outputs(raw, candidate.name)


def _width(scores: NDArray[Any]) -> int:
    return int(np.prod(scores.shape[1:]))


def measure_worst(
    pairs: Mapping[str, OutputPair],
    measure: Callable[[str, OutputPair], Measurement],
    *,
    high: bool,
) -> Measurement:
    """Measure every output and return the worst measurement, whose evidence names the output.

    The worst has the highest value (`high`) or the lowest. Its one-sided limit is the furthest of
    all outputs, so that nothing is proven that is not proven for each of them.
    """
    measurements = {name: measure(name, pair) for name, pair in pairs.items()}
    if len(measurements) == 1:
        return next(iter(measurements.values()))
    name = (max if high else min)(measurements, key=lambda name: measurements[name].value)
    worst_output = measurements[name]
    return replace(
        worst_output,
        evidence=(f"output {name} is the worst of {len(measurements)}", *worst_output.evidence),
        low=_furthest(min, [measurement.low for measurement in measurements.values()]),
        high=_furthest(max, [measurement.high for measurement in measurements.values()]),
    )


def _furthest(choose: Callable[[list[Any]], Any], limits: list[Any]) -> Any:
    known = [limit for limit in limits if limit is not None]
    return choose(known) if known else None

"""Measure agreement: the share of decisions that Keras or the reference share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.data.duplicates import originals
from litegate.measures.accuracy.decisions import (
    Decisions,
    decide,
    demand_finite_values,
    demand_same_split,
    tie_evidence,
)
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.outputs import (
    class_outputs,
    class_scores,
    demand_counterparts,
    measure_worst,
    own_name,
)
from litegate.measures.accuracy.quanta import output_grid_of
from litegate.measures.accuracy.shares import share
from litegate.measures.measurement import Measurement
from litegate.measures.names import Name
from litegate.runtimes.inference import predict_all
from litegate.runtimes.outputs import Outputs
from litegate.spec import Artifact, Evaluation

SEED = 20
"""Seed that draws the compared samples: fixed, so that each run compares the same ones. The number
itself is arbitrary."""

_Scores = tuple[NDArray[Any], NDArray[Any]]


def keras_agreement(candidate: Artifact) -> Measurement:
    """Measure the share of the evaluation split on which Keras and the `.tflite` decide alike.

    For QAT the Keras network is the fake-quantized one. With several outputs the worst decides.
    Wilson's one-sided limit decides a floor. Raises MeasurementError if the artifact has no Keras
    outputs, or outputs that are not finite.
    """
    scores = {
        name: (keras, outputs.raw) for name, (keras, outputs) in _keras_pairs(candidate).items()
    }

    def measure(_: str, pair: _Scores) -> Measurement:
        keras = decide(pair[0], f"{candidate.name} in Keras")
        ours = decide(pair[1], candidate.name)
        return _measure_agreement(
            Name.KERAS_AGREEMENT,
            candidate,
            (keras, ours),
            (*tie_evidence(keras.ties, " in Keras"), *tie_evidence(ours.ties, " in the .tflite")),
        )

    return measure_worst(class_outputs(scores, candidate.name), measure, high=False)


def agreement_with_reference(reference: Artifact, candidate: Artifact) -> Measurement:
    """Measure the share of the evaluation split on which reference and candidate decide alike.

    Right or wrong does not matter, so no labels are needed. With several outputs the worst decides.
    Wilson's one-sided limit decides a floor. Raises MeasurementError for different evaluation
    splits, or outputs that are not finite.
    """
    demand_same_split(reference, candidate)

    def measure(_: str, pair: _Scores) -> Measurement:
        theirs, ours = decide(pair[0], reference.name), decide(pair[1], candidate.name)
        ties = (
            *tie_evidence(theirs.ties, " in the reference"),
            *tie_evidence(ours.ties, " in the candidate"),
        )
        measurement = _measure_agreement(Name.REFERENCE_AGREEMENT, candidate, (theirs, ours), ties)
        return replace(
            measurement,
            artifacts=(reference.sha256, candidate.sha256),
            why=partial(divergence, reference, candidate),
        )

    return measure_worst(class_scores(reference, candidate), measure, high=False)


def _measure_agreement(
    name: str, candidate: Artifact, pair: tuple[Decisions, Decisions], ties: tuple[str, ...]
) -> Measurement:
    same = pair[0].chosen == pair[1].chosen
    return share(
        name,
        candidate.name,
        same,
        originals(candidate.evaluation),
        evidence=(f"{int(same.sum()):,} of {len(same):,} decisions equal", *ties),
        artifacts=(candidate.sha256,),
    )


def _keras_pairs(candidate: Artifact) -> dict[str, tuple[NDArray[Any], Outputs]]:
    """Return the outputs of Keras and of the file, by the name of the Keras output."""
    keras, outputs = candidate.keras_outputs, predict_all(candidate)
    if keras is None:
        raise MeasurementError(
            f"{candidate.name} has no outputs of its Keras network",
            expected="the outputs that a build stores beside the .tflite",
            remedy="build it again; for prebuilt files leave the Keras limits unset",
        )
    if not isinstance(keras, Mapping):
        keras = {candidate.evaluation.output or next(iter(outputs)): keras}
    names = {name: own_name(outputs, name, candidate.name) for name in keras}
    demand_counterparts(names.values(), outputs, candidate.name, "its Keras network")
    pairs = {name: (np.asarray(keras[name]), outputs[own]) for name, own in names.items()}
    for expected, output in pairs.values():
        _demand_same_shape(expected.shape, output.raw.shape, candidate.name)
    return pairs


def _demand_same_shape(keras: tuple[int, ...], shape: tuple[int, ...], subject: str) -> None:
    if keras != shape:
        raise MeasurementError(
            f"{subject} and its Keras network have outputs of different shapes",
            expected=str(shape),
            got=str(keras),
            remedy="build it again, since the two do not match",
        )


def keras_difference(candidate: Artifact) -> Measurement:
    """Measure the largest difference of any output value from Keras's, in quanta of the output.

    A float output is counted in quanta of the tensor that its last DEQUANTIZE reads. With several
    outputs the worst decides. The value is rounded to a hundredth of a quantum, since float32
    represents an int16 output no finer. Raises MeasurementError if the artifact has no Keras
    outputs, outputs that are not finite, or outputs that are not quantized.
    """

    def measure(_: str, pair: tuple[NDArray[Any], Outputs]) -> Measurement:
        return _measure_difference(candidate, *pair)

    return measure_worst(_keras_pairs(candidate), measure, high=True)


def _measure_difference(candidate: Artifact, keras: NDArray[Any], outputs: Outputs) -> Measurement:
    keras = demand_finite_values(keras, f"{candidate.name} in Keras").astype(np.float64)
    values = demand_finite_values(outputs[:].real, candidate.name).astype(np.float64)
    quantum = _quantum(candidate, outputs)
    steps = np.abs(values - keras) / quantum
    sample, *rest = np.unravel_index(int(steps.argmax()), steps.shape)
    position = (sample, *rest)
    # In hundredths: the outputs are float32, so that a whole number of quanta is not quite one.
    return Measurement(
        name=Name.KERAS_DIFFERENCE,
        subject=candidate.name,
        value=Fraction(round(100 * float(steps[position])), 100),
        unit=Unit.QUANTA,
        n=len(values),
        evidence=(
            f"a quantum is {quantum:.5g}",
            f"sample {sample}: {values[position]:.5g} in LiteRT and {keras[position]:.5g} in Keras",
            f"{int((steps >= 0.5).sum()):,} of {steps.size:,} outputs differ by half of one",
        ),
        artifacts=(candidate.sha256,),
    )


def _quantum(candidate: Artifact, outputs: Outputs) -> float:
    grid = output_grid_of(candidate, outputs.port)
    if grid is None:
        raise MeasurementError(
            f"the outputs of {candidate.name} are not quantized, so they have no quanta",
            expected="an integer output, or a float output of a DEQUANTIZE operator",
            remedy="leave keras_difference unset for this recipe: recipe(budget=...)",
        )
    return grid.quantum


@lru_cache(maxsize=8)  # one split for all artifacts: it holds copies of the samples
def spread_samples(split: Evaluation, most: int) -> Evaluation:
    """Return `most` samples of a split, or the split itself if it has no more, or `most` is 0."""
    n = len(split.x)
    return split.some(spread_indices(n, most)) if 0 < most < n else split


def spread_indices(n: int, most: int) -> NDArray[np.intp]:
    """Return indices of `most` of n samples, one drawn from each of `most` equal stretches.

    They are drawn, not evenly stepped, since a step can coincide with the order of the classes.
    """
    if n <= most:
        return np.arange(n)
    edges = np.arange(most + 1) * n // most
    return np.random.default_rng(SEED).integers(edges[:-1], edges[1:])

"""Agreement: whether Keras and other kernels decide as the bytes that ship do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.core.errors import MeasurementError
from litegate.core.units import Unit
from litegate.measures.accuracy.decisions import Decisions, decide, demand_same_split, finite, tied
from litegate.measures.accuracy.duplicates import originals
from litegate.measures.accuracy.layer_error import divergence
from litegate.measures.accuracy.outputs import choosing, decided, demand_all, place, worst
from litegate.measures.accuracy.quanta import grid_of
from litegate.measures.accuracy.shares import share
from litegate.measures.measurement import Measurement
from litegate.runtimes.inference import Outputs, all_outputs, predict_all
from litegate.runtimes.litert import Kernels
from litegate.spec import Artifact

KERNEL_SAMPLES = 500
"""Samples on which the kernels are compared: the reference ones are ten times slower."""
SEED = 20
"""Draws the samples on which the kernels are compared."""

_Scores = tuple[NDArray[Any], NDArray[Any]]


def keras_agreement(candidate: Artifact) -> Measurement:
    """The share of the evaluation split that Keras and the `.tflite` decide alike.

    For QAT the Keras network is the fake-quantized one. Of several outputs the worst counts.
    Wilson's one-sided limit decides a floor. MeasurementError where the artifact has no Keras
    outputs, or outputs that are not finite.
    """
    found = {name: (keras, ours.raw) for name, (keras, ours) in _beside_keras(candidate).items()}

    def measure(_: str, pair: _Scores) -> Measurement:
        keras = decide(pair[0], f"{candidate.name} in Keras")
        ours = decide(pair[1], candidate.name)
        return _alike(
            "agreement with Keras",
            candidate,
            (keras, ours),
            (*tied(keras.ties, " in Keras"), *tied(ours.ties, " in the .tflite")),
        )

    return worst(choosing(found, candidate.name), measure, high=False)


def agreement_with_reference(reference: Artifact, candidate: Artifact) -> Measurement:
    """The share of the evaluation split that the reference and the candidate decide alike.

    Right or wrong: it needs no labels. Of several outputs the worst counts. Wilson's one-sided
    limit decides a floor. MeasurementError for different evaluation splits, or outputs that are not
    finite.
    """
    demand_same_split(reference, candidate)

    def measure(_: str, pair: _Scores) -> Measurement:
        theirs, ours = decide(pair[0], reference.name), decide(pair[1], candidate.name)
        ties = (*tied(theirs.ties, " in the reference"), *tied(ours.ties, " in the candidate"))
        found = _alike("agreement with the reference", candidate, (theirs, ours), ties)
        return replace(
            found,
            artifacts=(reference.sha256, candidate.sha256),
            why=partial(divergence, reference, candidate),
        )

    return worst(decided(reference, candidate), measure, high=False)


def _alike(
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


def _beside_keras(candidate: Artifact) -> dict[str, tuple[NDArray[Any], Outputs]]:
    """What Keras and the file answered, output by output."""
    kept, ours = candidate.keras_outputs, predict_all(candidate)
    if kept is None:
        raise MeasurementError(
            f"{candidate.name} has no outputs of its Keras network",
            expected="the outputs that a build stores beside the .tflite",
            remedy="build it again; for a file from elsewhere leave the keras limits unset",
        )
    if not isinstance(kept, Mapping):
        kept = {candidate.evaluation.output or next(iter(ours)): kept}
    places = {name: place(ours, name, candidate.name) for name in kept}
    demand_all(places.values(), ours, candidate.name, "its Keras network")
    found = {name: (np.asarray(kept[name]), ours[at]) for name, at in places.items()}
    for keras, one in found.values():
        _demand_same_shape(keras.shape, one.raw.shape, candidate.name)
    return found


def _demand_same_shape(keras: tuple[int, ...], shape: tuple[int, ...], subject: str) -> None:
    if keras != shape:
        raise MeasurementError(
            f"{subject} and its Keras network have outputs of different shapes",
            expected=str(shape),
            got=str(keras),
            remedy="build it again: the two do not belong together",
        )


def keras_difference(candidate: Artifact) -> Measurement:
    """The largest difference of any output from Keras's, in quanta of the output.

    A float output counts in quanta of what its last DEQUANTIZE reads. Of several outputs the worst
    counts. Rounded to the hundredth of a quantum, for float32 holds an int16 output no finer.
    MeasurementError where the artifact has no Keras outputs, outputs that are not finite, or
    outputs that are not quantized.
    """

    def measure(_: str, pair: tuple[NDArray[Any], Outputs]) -> Measurement:
        return _difference(candidate, *pair)

    return worst(_beside_keras(candidate), measure, high=True)


def _difference(candidate: Artifact, keras: NDArray[Any], answered: Outputs) -> Measurement:
    keras = finite(keras, f"{candidate.name} in Keras").astype(np.float64)
    ours = finite(answered[:].real, candidate.name).astype(np.float64)
    quantum = _quantum(candidate, answered)
    steps = np.abs(ours - keras) / quantum
    sample, *rest = np.unravel_index(int(steps.argmax()), steps.shape)
    where = (sample, *rest)
    return Measurement(
        name="largest difference from Keras",
        subject=candidate.name,
        value=Fraction(round(100 * float(steps[where])), 100),
        unit=Unit.QUANTA,
        n=len(ours),
        evidence=(
            f"a quantum is {quantum:.5g}",
            f"sample {sample}: {ours[where]:.5g} in LiteRT and {keras[where]:.5g} in Keras",
            f"{int((steps >= 0.5).sum()):,} of {steps.size:,} outputs differ by half of one",
        ),
        artifacts=(candidate.sha256,),
    )


def _quantum(candidate: Artifact, answered: Outputs) -> float:
    grid = grid_of(candidate, answered.port)
    if grid is None:
        raise MeasurementError(
            f"the outputs of {candidate.name} are not quantized, so they have no quanta",
            expected="an integer output, or a float one that a DEQUANTIZE gives",
            remedy="leave keras_difference unset for this recipe: recipe(budget=...)",
        )
    return grid.quantum


def kernel_agreement(candidate: Artifact) -> Measurement:
    """The share of 500 samples that XNNPACK and the reference kernels decide alike.

    The samples are the same in every run, spread over the whole evaluation split: one of each of
    500 equal stretches, or all samples where there are fewer. Of several outputs the worst counts.
    """
    samples = candidate.evaluation.x
    chosen = spread(len(samples), KERNEL_SAMPLES)
    plain = all_outputs(
        candidate.tflite,
        samples[chosen],
        subject=candidate.name,
        kernels=Kernels.REFERENCE,
        signature=candidate.signature,
    )
    fast = predict_all(candidate)
    found = {name: (one[chosen].real, plain[name][:].real) for name, one in fast.items()}

    def measure(_: str, pair: _Scores) -> Measurement:
        return _of_kernels(candidate, chosen, *pair)

    return worst(choosing(found, candidate.name), measure, high=False)


def _of_kernels(
    candidate: Artifact, chosen: NDArray[np.intp], fast: NDArray[Any], plain: NDArray[Any]
) -> Measurement:
    name, n = candidate.name, len(candidate.evaluation.x)
    same = decide(fast, name).chosen == decide(plain, name).chosen
    return share(
        "agreement of kernels",
        name,
        same,
        originals(candidate.evaluation)[chosen],
        evidence=(
            "XNNPACK against reference kernels",
            "1 thread",
            f"{len(chosen):,} of {n:,} samples",
            f"{int(same.sum()):,} decisions equal",
            f"outputs at most {np.abs(fast - plain).max():.3g} apart",
        ),
        artifacts=(candidate.sha256,),
    )


def spread(n: int, most: int) -> NDArray[np.intp]:
    """Indices of `most` of n samples, one drawn from each of `most` equal stretches.

    Drawn rather than evenly stepped, since a step can fall in with the order of the classes.
    """
    if n <= most:
        return np.arange(n)
    edges = np.arange(most + 1) * n // most
    return np.random.default_rng(SEED).integers(edges[:-1], edges[1:])

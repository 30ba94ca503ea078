"""Agreement: whether Keras and other kernels decide as the bytes that ship do."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litegate.errors import MeasurementError
from litegate.measurement import Measurement
from litegate.measures.decisions import decide, demand_same_split, finite, tied
from litegate.measures.distinct import originals
from litegate.measures.grid import output_grid
from litegate.measures.layer_error import divergence
from litegate.measures.shares import share
from litegate.runtime import Kernels, outputs, predict
from litegate.spec import Artifact
from litegate.units import Unit

KERNEL_SAMPLES = 500
"""Samples on which the kernels are compared: the reference ones are ten times slower."""
SEED = 20
"""Draws the samples on which the kernels are compared."""


def keras_agreement(candidate: Artifact) -> Measurement:
    """The share of the evaluation split that Keras and the `.tflite` decide alike.

    For QAT the Keras network is the fake-quantized one. Wilson's one-sided limit decides a floor.
    MeasurementError where the artifact has no Keras outputs, or outputs that are not finite.
    """
    keras = decide(_keras_outputs(candidate), f"{candidate.name} in Keras")
    ours = decide(predict(candidate).raw, candidate.name)
    same = keras.chosen == ours.chosen
    return share(
        "agreement with Keras",
        candidate.name,
        same,
        originals(candidate.evaluation),
        evidence=(
            f"{int(same.sum()):,} of {len(same):,} decisions equal",
            *tied(keras.ties, " in Keras"),
            *tied(ours.ties, " in the .tflite"),
        ),
        artifacts=(candidate.sha256,),
    )


def agreement_with_reference(reference: Artifact, candidate: Artifact) -> Measurement:
    """The share of the evaluation split that the reference and the candidate decide alike.

    Right or wrong: it needs no labels. Wilson's one-sided limit decides a floor. MeasurementError
    for different evaluation splits, or outputs that are not finite.
    """
    demand_same_split(reference, candidate)
    theirs, ours = (decide(predict(each).raw, each.name) for each in (reference, candidate))
    same = theirs.chosen == ours.chosen
    return share(
        "agreement with the reference",
        candidate.name,
        same,
        originals(candidate.evaluation),
        evidence=(
            f"{int(same.sum()):,} of {len(same):,} decisions equal",
            *tied(theirs.ties, " in the reference"),
            *tied(ours.ties, " in the candidate"),
        ),
        artifacts=(reference.sha256, candidate.sha256),
        why=partial(divergence, reference, candidate),
    )


def _keras_outputs(candidate: Artifact) -> NDArray[Any]:
    if candidate.keras_outputs is None:
        raise MeasurementError(
            f"{candidate.name} has no outputs of its Keras network",
            expected="the outputs that a build stores beside the .tflite",
            remedy="build it again; for a file from elsewhere leave the keras limits unset",
        )
    keras, shape = np.asarray(candidate.keras_outputs), predict(candidate).raw.shape
    if keras.shape != shape:
        raise MeasurementError(
            f"{candidate.name} and its Keras network have outputs of different shapes",
            expected=str(shape),
            got=str(keras.shape),
            remedy="build it again: the two do not belong together",
        )
    return keras


def keras_difference(candidate: Artifact) -> Measurement:
    """The largest difference of any output from Keras's, in quanta of the output.

    A float output counts in quanta of what its last DEQUANTIZE reads. Rounded to the hundredth of
    a quantum, for float32 holds an int16 output no finer. MeasurementError where the artifact has
    no Keras outputs, outputs that are not finite, or outputs that are not quantized.
    """
    keras = finite(_keras_outputs(candidate), f"{candidate.name} in Keras").astype(np.float64)
    ours = finite(predict(candidate).real, candidate.name).astype(np.float64)
    quantum = _quantum(candidate)
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


def _quantum(candidate: Artifact) -> float:
    grid = output_grid(candidate.tflite, candidate.name)
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
    500 equal stretches, or all samples where there are fewer.
    """
    samples, name = candidate.evaluation.x, candidate.name
    chosen = spread(len(samples), KERNEL_SAMPLES)
    fast = predict(candidate).real[chosen]
    plain = outputs(candidate.tflite, samples[chosen], subject=name, kernels=Kernels.REFERENCE).real
    same = decide(fast, name).chosen == decide(plain, name).chosen
    return share(
        "agreement of kernels",
        name,
        same,
        originals(candidate.evaluation)[chosen],
        evidence=(
            "XNNPACK against reference kernels",
            "1 thread",
            f"{len(chosen):,} of {len(samples):,} samples",
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

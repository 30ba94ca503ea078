"""Make artifacts from the bytes of files, with a small evaluation split of the tiny network."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from litegate.spec import Artifact, Evaluation, Kind, Recipe
from litegate.testing.network import CLASSES, SEED, activations, network, samples
from litegate.testing.tiny import tiny

_SAMPLES = 200
"""Without a flip they prove a drop of at most 1.3 points (Tango); more would slow every test."""


def evaluation(n: int = _SAMPLES, *, seed: int = SEED) -> Evaluation:
    """Return n samples that the float network of `seed` decides clearly, labelled as it decides.

    Takes the half of 2n samples with the wider margins, so that quantization costs next to nothing.
    """
    # not the samples of `seed`, which set the biases of the network
    x = samples(2 * n, seed=seed + 1)
    logits = activations(network(seed), x).logits
    ranked = np.sort(logits, axis=1)
    clear = np.sort(np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")[:n])
    x, y = x[clear], logits[clear].argmax(axis=1)
    digest = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    classes = tuple(f"class {number}" for number in range(CLASSES))
    return Evaluation(digest=digest, x=x, y=y, classes=classes, domain=(0.0, 1.0))


def artifact(
    tflite: bytes,
    kind: Kind = Kind.INT8_QAT,
    *,
    input_type: str = "float32",
    output_type: str = "float32",
    split: Evaluation | None = None,
    keras_outputs: Any = None,
) -> Artifact:
    """Wrap the bytes of a `.tflite` as the artifact of a recipe of `kind`.

    The model is called "tiny", the recipe is called like its kind. `split` replaces `evaluation()`.
    """
    recipe = Recipe(name=kind.value, kind=kind, input_type=input_type, output_type=output_type)
    return Artifact(
        model="tiny",
        recipe=recipe,
        tflite=tflite,
        sha256=hashlib.sha256(tflite).hexdigest(),
        certificate={},
        evaluation=split or evaluation(),
        keras_outputs=keras_outputs,
    )


def tiny_artifact(
    kind: Kind = Kind.INT8_QAT, *, input_type: str = "float32", output_type: str = "float32"
) -> Artifact:
    """Return the tiny network as the artifact of a recipe of `kind`."""
    tflite = tiny(kind, input_type=input_type, output_type=output_type)
    return artifact(tflite, kind, input_type=input_type, output_type=output_type)

"""Artifacts from bytes, with a small evaluation split of the tiny network."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from litegate.spec import Artifact, Evaluation, Kind, Recipe
from litegate.testing.network import CLASSES, activations, network, samples
from litegate.testing.tiny import tiny


def evaluation(n: int = 200, *, seed: int = 7) -> Evaluation:
    """Samples that the float network of `seed` decides clearly, labelled as it decides.

    The half with the wider margins of 2n draws, so that honest quantizing costs next to nothing.
    """
    drawn = samples(2 * n, seed=seed + 1)
    logits = activations(network(seed), drawn).logits
    ranked = np.sort(logits, axis=1)
    clear = np.sort(np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")[:n])
    x, y = drawn[clear], logits[clear].argmax(axis=1)
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
    """Wrap the bytes of a `.tflite` as what a recipe of `kind` would have built.

    The model is called "tiny", the recipe as its kind. `split` takes the place of `evaluation()`.
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
    """The tiny network as a recipe of `kind` would have built it."""
    tflite = tiny(kind, input_type=input_type, output_type=output_type)
    return artifact(tflite, kind, input_type=input_type, output_type=output_type)

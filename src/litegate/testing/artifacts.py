"""Make artifacts from the bytes of files, with the evaluation split of the tiny network."""

from __future__ import annotations

import hashlib
from typing import Any

from litegate.spec import Artifact, Evaluation, Kind, Recipe
from litegate.testing.split import evaluation
from litegate.testing.tiny_writer import tiny


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

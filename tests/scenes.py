"""Sound scenes of the tiny network, to plant faults in."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from litegate import Budget, Training, byte, percent, points
from litegate.mutation.faults import Scene, sound
from litegate.runtimes.inference import outputs
from litegate.spec import Data, Kind, Model, Recipe
from litegate.testing import artifact, evaluation, tiny


@lru_cache
def scene(
    kind=Kind.INT8_QAT, *, input_type="float32", output_type="float32", split=None, budget=None
):
    """A sound scene: a candidate of `kind`, its float reference, and the candidate as its base."""
    split = split or evaluation()
    tflite = tiny(kind, input_type=input_type, output_type=output_type)
    candidate = artifact(
        tflite,
        kind,
        input_type=input_type,
        output_type=output_type,
        split=split,
        keras_outputs=outputs(tflite, split.x).real,
    )
    reference = artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=split)
    return sound(
        Scene(
            model=_model(candidate.recipe, budget or BUDGET),
            recipe=candidate.recipe,
            candidate=candidate,
            reference=reference,
            baseline=reference,
            base=candidate,
            shipped=tflite,
        )
    )


BUDGET = Budget(
    accuracy=percent(90),
    accuracy_drop=points(5),
    size=byte(16_384),
    keras_agreement=percent(95),
    runtime_agreement=percent(95),
)


def _model(recipe: Recipe, budget: Budget) -> Model:
    data = Data(
        name="tiny",
        load=_nowhere,
        digests={},
        preprocess=np.asarray,
        domain=(0.0, 1.0),
        classes=tuple(f"class {number}" for number in range(4)),
    )
    return Model(
        name="tiny",
        file=Path("models/tiny.py"),
        line=1,
        build=_nowhere,
        summary="The tiny network.",
        data=data,
        training=Training(),
        recipes=(recipe,),
        budget=budget,
    )


def _nowhere(*_):
    raise AssertionError("nothing is built")


def small(planted, n):
    """A scene judged on the first n samples of its split."""
    split = planted.candidate.evaluation
    return planted.with_split(split.x[:n], split.y[:n])


__all__ = ["BUDGET", "scene", "small"]

"""Faults in how a candidate answers, however accurate: operators put behind its scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.mutation.faults.fault import LOSSES, Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.mutation.faults.tail import Tail, behind_last_layer, behind_output
from litegate.tflite.editing.draft import Draft, edit
from litegate.tflite.editing.writer import Steps

_TO = "number of counterexamples to"
_KEEP = schema.ReducerOptionsT(keepDims=True)


@fault(
    family=Family.ACCURACY,
    noticed_by=(
        "accuracy",
        *LOSSES,
        "agreement of kernels",
        f"{_TO} finite outputs",
        f"{_TO} outputs in their range",
    ),
    metrics=tuple(OfMetric),
)
def nan_answers(scene: Scene, _grade: float) -> Scene:
    """Every score is NaN."""

    def change(draft: Draft) -> None:
        tail = behind_output(draft)
        nan = tail.constant("nan", np.array(np.nan, np.float32))
        tail.put("MUL", [tail.scores, nan], tail.after, schema.MulOptionsT())

    return _planted(scene, change)


@fault(family=Family.ACCURACY, noticed_by=(f"{_TO} finite outputs",))
def nan_for_blank_samples(scene: Scene, _grade: float) -> Scene:
    """A blank sample, all of one value, gives NaN, as where samples are divided by their spread."""

    def change(draft: Draft) -> None:
        samples = int(draft.graph.inputs[0])
        given = draft.graph.tensors[samples]
        if given.type != schema.TensorType.FLOAT32:
            raise Unplantable("samples are integers, which nothing divides by their spread")
        tail = behind_output(draft)
        one = _spread_by_itself(tail, samples, int(np.prod(given.shape[1:])))
        tail.put("MUL", [tail.scores, one], tail.after, schema.MulOptionsT())

    return _planted(scene, change)


def _spread_by_itself(tail: Tail, samples: int, size: int) -> int:
    """A tensor of shape (n, 1): 1, or 0/0 for a sample that holds one value only."""
    row = tail.computed("row", (-1, size))
    names = ("least", "greatest", "spread", "one")
    least, greatest, spread, one = (tail.computed(name, (-1, 1)) for name in names)
    shape = tail.constant("shape", np.array([-1, size], np.int32))
    axis = tail.constant("axis", np.array([1], np.int32))
    tail.put("RESHAPE", [samples, shape], row, schema.ReshapeOptionsT())
    tail.put("REDUCE_MIN", [row, axis], least, _KEEP)
    tail.put("REDUCE_MAX", [row, axis], greatest, _KEEP)
    tail.put("SUB", [greatest, least], spread, schema.SubOptionsT())
    tail.put("DIV", [spread, spread], one, schema.DivOptionsT())
    return one


@fault(family=Family.ACCURACY, noticed_by=(f"{_TO} outputs in their range",))
def floats_for_integers(scene: Scene, _grade: float) -> Scene:
    """Answers are floats where the recipe declares integers."""

    def change(draft: Draft) -> None:
        output = draft.output
        if draft.graph.tensors[output].type == schema.TensorType.FLOAT32:
            raise Unplantable("outputs are floats")
        floats = draft.beside_float(output)
        draft.read_instead(output, floats)
        draft.graph.operators.append(draft.step("DEQUANTIZE", output, floats))

    return _planted(scene, change)


@fault(family=Family.ACCURACY, noticed_by=(f"{_TO} outputs that a batch leaves alone",))
def answers_depend_on_batch(scene: Scene, _grade: float) -> Scene:
    """The mean of the batch is subtracted from its scores, as by a layer left in training."""

    def change(draft: Draft) -> None:
        free = draft.graph.tensors[draft.graph.inputs[0]].shapeSignature
        if free is None or free[0] != -1:
            raise Unplantable("the model takes one sample at a time")
        tail = behind_last_layer(draft)
        mean = tail.like_scores("mean", tail.shape)
        rows = tail.constant("rows", np.array([0], np.int32))
        tail.put("MEAN", [tail.scores, rows], mean, _KEEP, version=2)
        tail.put("SUB", [tail.scores, mean], tail.after, schema.SubOptionsT(), version=2)

    return _planted(scene, change)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(1, 4, 16, 64, unit="steps", must=1),
    noticed_by=(f"{_TO} repeatable outputs",),
)
def unrepeatable_answers(scene: Scene, grade: float) -> Scene:
    """Scores hold noise, drawn anew in each invocation, as by a dropout that is left on.

    The grade is how many steps of the scores the noise spans.
    """

    def change(draft: Draft) -> None:
        tail = behind_last_layer(draft)
        size = tail.constant("size", np.array(tail.shape, np.int32))
        span = tail.constant("span", np.array(grade * tail.scale, np.float32))
        share, noise = (tail.computed(name, tail.shape) for name in ("share", "noise"))
        steps = tail.like_scores("noise", tail.shape, tail.scale)
        seeds = schema.RandomOptionsT(scene.seed + 1, 1)
        tail.put("RANDOM_UNIFORM", [size], share, seeds)
        tail.put("MUL", [share, span], noise, schema.MulOptionsT())
        tail.put("QUANTIZE", [noise], steps, schema.QuantizeOptionsT())
        tail.put("ADD", [tail.scores, steps], tail.after, schema.AddOptionsT(), version=2)

    return _planted(scene, change)


@fault(
    family=Family.ACCURACY,
    ladder=Ladder(4, 16, 64, 128, 256, unit="steps", must=128),
    noticed_by=("agreement of kernels",),
)
def kernels_disagree(scene: Scene, grade: float) -> Scene:
    """Reference kernels favour the first class, for they round a half another way.

    A layer of zeros gives it -1/2, which XNNPACK rounds to 0 and the reference kernels to -1; that
    is subtracted from the scores. The grade is how many steps of the scores a 1 counts for.
    """

    def change(draft: Draft) -> None:
        tail = behind_last_layer(draft)
        if scene.model.data.labels and not scene.model.chooses:
            raise Unplantable("the network does not choose between classes")
        if len(tail.shape) != 2:
            raise Unplantable("the last layer's output is no row of scores")
        size, step = tail.shape[1], grade * tail.scale
        bias = -np.eye(1, size, dtype=np.int32)[0]
        weight = tail.constant("zeros", np.zeros((size, size), np.int8), Steps(scales=(grade / 2,)))
        half = tail.constant("half", bias, Steps(scales=(step / 2,)))
        rounded = tail.like_scores("rounded", (-1, size), step)
        dense = schema.FullyConnectedOptionsT()
        tail.put("FULLY_CONNECTED", [tail.scores, weight, half], rounded, dense, version=4)
        tail.put("SUB", [tail.scores, rounded], tail.after, schema.SubOptionsT(), version=2)

    return _planted(scene, change)


def _planted(scene: Scene, change: Callable[[Draft], None]) -> Scene:
    def on(model: Any) -> None:
        change(scene.draft(model))

    return scene.with_candidate(edit(scene.candidate.tflite, on))

"""Plant faults in the outputs' form rather than their accuracy, with operators after the scores."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.measures.names import Name
from litegate.mutation.faults.fault import LOSSES, Family, Ladder, OfMetric, fault
from litegate.mutation.faults.scene import Scene, Unplantable
from litegate.mutation.faults.tail import Tail, behind_last_layer, behind_output
from litegate.tflite.editing.draft import Draft
from litegate.tflite.editing.writer import QuantizationParameters

_KEEP_DIMS = schema.ReducerOptionsT(keepDims=True)


@fault(
    family=Family.ACCURACY,
    noticed_by=(
        Name.ACCURACY,
        *LOSSES,
        Name.RUNTIME_AGREEMENT,
        Name.FINITE_OUTPUTS,
        Name.OUTPUT_RANGE,
    ),
    metrics=tuple(OfMetric),
)
def nan_answers(scene: Scene, _grade: float) -> Scene:
    """Every score is NaN."""

    def change(draft: Draft) -> None:
        tail = behind_output(draft)
        nan = tail.constant("nan", np.array(np.nan, np.float32))
        tail.put("MUL", [tail.scores, nan], tail.after, schema.MulOptionsT())

    return scene.with_edited(change)


@fault(family=Family.ACCURACY, noticed_by=(Name.FINITE_OUTPUTS,))
def nan_for_blank_samples(scene: Scene, _grade: float) -> Scene:
    """A blank sample, all of one value, gives NaN, as when samples are divided by their spread."""

    def change(draft: Draft) -> None:
        samples = int(draft.graph.inputs[0])
        input_tensor = draft.graph.tensors[samples]
        if input_tensor.type != schema.TensorType.FLOAT32:
            raise Unplantable("samples are integers, which are not normalized")
        tail = behind_output(draft)
        factor = _one_or_nan(tail, samples, int(np.prod(input_tensor.shape[1:])))
        tail.put("MUL", [tail.scores, factor], tail.after, schema.MulOptionsT())

    return scene.with_edited(change)


def _one_or_nan(tail: Tail, samples: int, size: int) -> int:
    """Divide each sample's spread by itself; return the tensor's index, shape (n, 1).

    Its value is 1, or NaN (0/0) for a sample whose values are all the same.
    """
    row = tail.computed("row", (-1, size))
    names = ("least", "greatest", "spread", "one")
    least, greatest, spread, quotient = (tail.computed(name, (-1, 1)) for name in names)
    shape = tail.constant("shape", np.array([-1, size], np.int32))
    axis = tail.constant("axis", np.array([1], np.int32))
    tail.put("RESHAPE", [samples, shape], row, schema.ReshapeOptionsT())
    tail.put("REDUCE_MIN", [row, axis], least, _KEEP_DIMS)
    tail.put("REDUCE_MAX", [row, axis], greatest, _KEEP_DIMS)
    tail.put("SUB", [greatest, least], spread, schema.SubOptionsT())
    tail.put("DIV", [spread, spread], quotient, schema.DivOptionsT())
    return quotient


@fault(family=Family.ACCURACY, noticed_by=(Name.OUTPUT_RANGE,))
def floats_for_integers(scene: Scene, _grade: float) -> Scene:
    """Answers are floats although the recipe declares integers."""

    def change(draft: Draft) -> None:
        output = draft.output
        if draft.graph.tensors[output].type == schema.TensorType.FLOAT32:
            raise Unplantable("outputs are floats")
        floats = draft.beside_float(output)
        draft.read_instead(output, floats)
        draft.graph.operators.append(draft.step("DEQUANTIZE", output, floats))

    return scene.with_edited(change)


@fault(family=Family.ACCURACY, noticed_by=(Name.BATCH_INVARIANCE,))
def answers_depend_on_batch(scene: Scene, _grade: float) -> Scene:
    """The mean of the batch is subtracted from its scores, as by a layer in training mode."""

    def change(draft: Draft) -> None:
        signature_shape = draft.graph.tensors[draft.graph.inputs[0]].shapeSignature
        if signature_shape is None or signature_shape[0] != -1:
            raise Unplantable("the model takes one sample at a time")
        tail = behind_last_layer(draft)
        mean = tail.like_scores("mean", tail.shape)
        rows = tail.constant("rows", np.array([0], np.int32))
        tail.put("MEAN", [tail.scores, rows], mean, _KEEP_DIMS, version=2)
        tail.put("SUB", [tail.scores, mean], tail.after, schema.SubOptionsT(), version=2)

    return scene.with_edited(change)


@fault(
    family=Family.ACCURACY,
    # outputs are compared bit by bit, so that a single step must be noticed
    ladder=Ladder(1, 4, 16, 64, unit="steps", must=1),
    noticed_by=(Name.DETERMINISM,),
)
def unrepeatable_answers(scene: Scene, grade: float) -> Scene:
    """Scores contain noise that differs in each invocation, as with dropout left on.

    The grade is the width of the noise, in quantization steps of the scores.
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

    return scene.with_edited(change)


@fault(
    family=Family.ACCURACY,
    # 128 steps are half the range of int8 scores; the runtime agreement of both digits_cnn and
    # mnist_cnn notices 64 (kill_matrix.md)
    ladder=Ladder(4, 16, 64, 128, 256, unit="steps", must=128),
    noticed_by=(Name.RUNTIME_AGREEMENT,),
)
def kernels_disagree(scene: Scene, grade: float) -> Scene:
    """Reference kernels favour the first class because they round halves differently.

    An added layer computes -1/2 for it, which XNNPACK rounds to 0 and the reference kernels to -1,
    and the result is subtracted from the scores. The grade is the weight of a 1, in quantization
    steps of the scores.
    """

    def change(draft: Draft) -> None:
        tail = behind_last_layer(draft)
        if scene.model.data.labels and not scene.model.has_accuracy:
            raise Unplantable("the network is not a classifier")
        if len(tail.shape) != 2:
            raise Unplantable("the last layer's output is not a row of scores")
        size, step = tail.shape[1], grade * tail.scale
        weights = np.zeros((size, size), np.int8)
        bias = -np.eye(1, size, dtype=np.int32)[0]
        # the bias scale, step / 2, must be the input's scale times the weights'
        weight = tail.constant("zeros", weights, QuantizationParameters(scales=(grade / 2,)))
        half = tail.constant("half", bias, QuantizationParameters(scales=(step / 2,)))
        rounded = tail.like_scores("rounded", (-1, size), step)
        dense = schema.FullyConnectedOptionsT()
        tail.put("FULLY_CONNECTED", [tail.scores, weight, half], rounded, dense, version=4)
        tail.put("SUB", [tail.scores, rounded], tail.after, schema.SubOptionsT(), version=2)

    return scene.with_edited(change)

"""Make metrics besides top-1 accuracy, for `Budget(metrics=(...))`.

Limits are plain numbers in the metric's own unit: `least` (minimum), `most` (maximum), `loss`
(maximum loss against the float reference), `class_loss` and `slice_loss` (the same for the worst
class and the worst slice), `regression` (maximum loss against the merge base). For `top_k`,
`frame_accuracy` and `false_rejects` they are quantities in per cent and points. A limit with the
wrong direction raises ConfigError.

A user's own function must have a name, since a change of its source is reported against the base.
The names of its parameters select the arguments: `outputs`, real values, float32, shape (n, ...);
`labels`, as in the data set; `inputs`, as the network reads them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, Unpack

from litegate.core.errors import ConfigError
from litegate.spec.detector import Detector
from litegate.spec.metric import Better, Limits, Metric, MetricKind

PARAMETERS = ("outputs", "labels", "inputs")
"""Parameters that a user's own function may have."""
_DECODE_PARAMETERS = ("outputs", "inputs")
"""Those of a function that decodes outputs: with the labels it could answer right by itself."""

Function = Callable[..., Any]


def top_k(k: int, *, name: str = "", **limits: Unpack[Limits]) -> Metric:
    """Share of samples whose class is among the k highest scores; ties go to the lower index.

    `least` is in `percent`, losses are in `points`. Raises ConfigError if k is below 1.
    """
    if k < 1:
        raise ConfigError("top_k(k) needs a number of classes", expected="at least 1", got=repr(k))
    kind, higher = MetricKind.TOP_K, Better.HIGHER
    return Metric(name=name or f"top_{k}", kind=kind, better=higher, k=k, bounded=True, **limits)


def f1(
    *,
    of: int | str | None = None,
    threshold: float | None = None,
    name: str = "f1",
    **limits: Unpack[Limits],
) -> Metric:
    """F1, ``2 tp / (2 tp + fp + fn)``, of one class, by number or name, or the mean over classes.

    The mean (macro F1) leaves out classes that occur neither in the labels nor in the predictions.
    A network with a single output predicts class 1 from `threshold` on.
    """
    return Metric(
        name=name,
        kind=MetricKind.F1,
        better=Better.HIGHER,
        of=of,
        threshold=threshold,
        bounded=True,
        **limits,
    )


def auc(
    *,
    score: Function | None = None,
    of: int | str = 1,
    name: str = "auc",
    **limits: Unpack[Limits],
) -> Metric:
    """Area under the ROC curve: the chance that a sample of a class scores above another sample.

    Ties count half (Mann and Whitney 1947). `score` returns the scores, shape (n,), such as an
    autoencoder's reconstruction error. Without it the score is the output of the class, or with two
    outputs the difference to the other one. `of` is the label of the class.
    """
    return Metric(
        name=name,
        kind=MetricKind.AUC,
        better=Better.HIGHER,
        function=_validated(score, "auc(score=...)") if score else None,
        of=of,
        bounded=True,
        **limits,
    )


def mse(*, name: str = "mse", **limits: Unpack[Limits]) -> Metric:
    """Mean squared error against labels of the outputs' shape, in the labels' squared unit."""
    return Metric(name=name, kind=MetricKind.MSE, better=Better.LOWER, **limits)


def rmse(*, name: str = "rmse", **limits: Unpack[Limits]) -> Metric:
    """Root mean squared error against labels of the outputs' shape, in the unit of the labels."""
    return Metric(name=name, kind=MetricKind.RMSE, better=Better.LOWER, **limits)


def mae(*, name: str = "mae", **limits: Unpack[Limits]) -> Metric:
    """Mean absolute error against labels of the outputs' shape, in the unit of the labels."""
    return Metric(name=name, kind=MetricKind.MAE, better=Better.LOWER, **limits)


def iou(
    *,
    of: int | str | None = None,
    threshold: float | None = None,
    ignore: int | None = None,
    name: str = "iou",
    **limits: Unpack[Limits],
) -> Metric:
    """Intersection over union of masks, of one class or the mean over the classes that occur.

    Outputs have shape (n, ..., classes), labels are integers, shape (n, ...). The class of a pixel
    is the one with the highest score. Intersections and unions are summed over all samples first
    (Everingham et al. 2010, VOC). A single channel predicts class 1 from `threshold` on. Pixels
    labelled `ignore` are left out.
    """
    return Metric(
        name=name,
        kind=MetricKind.IOU,
        better=Better.HIGHER,
        of=of,
        threshold=threshold,
        ignore=ignore,
        bounded=True,
        **limits,
    )


def frame_accuracy(
    *, threshold: float | None = None, name: str = "frame_accuracy", **limits: Unpack[Limits]
) -> Metric:
    """Share of the frames of all sequences that are put in their class.

    It needs `Data(sequences=...)` and a label for each frame. Intervals are of sequences, whose
    frames are drawn together: those of one recording resemble each other. A network with a single
    output predicts class 1 from `threshold` on. `least` is in `percent`, losses are in `points`.
    """
    return Metric(
        name=name,
        kind=MetricKind.FRAME_ACCURACY,
        better=Better.HIGHER,
        threshold=threshold,
        bounded=True,
        **limits,
    )


def false_accepts(
    detector: Detector, *, name: str = "false_accepts_per_hour", **limits: Unpack[Limits]
) -> Metric:
    """Events of a detector in an hour of audio in which nothing was planted.

    It needs `Data(sequences=...)`. A label other than 0 marks a frame, or a sequence, with a
    planted event; frames with one label in a row are one event. An event of the detector is right
    from the first frame of a planted one until the refractory time after its last, and that time is
    no negative audio. Without labels all audio is negative.
    """
    return Metric(
        name=name,
        kind=MetricKind.FALSE_ACCEPTS,
        better=Better.LOWER,
        detector=detector,
        **limits,
    )


def false_rejects(
    detector: Detector, *, name: str = "false_rejects", **limits: Unpack[Limits]
) -> Metric:
    """Share of planted events that a detector misses; see `false_accepts`.

    `most` is in `percent`, losses are in `points`.
    """
    return Metric(
        name=name,
        kind=MetricKind.FALSE_REJECTS,
        better=Better.LOWER,
        detector=detector,
        bounded=True,
        **limits,
    )


def map_coco(
    decode: Function | None = None,
    *,
    of: int | str | None = None,
    overlap: float | None = None,
    name: str = "map_coco",
    **limits: Unpack[Limits],
) -> Metric:
    """Mean average precision of boxes as COCO defines it, of one class or the mean over classes.

    Labels are boxes, shape (n, k, 5): x_min, y_min, x_max, y_max and the class, which is -1 in rows
    without a box. A sixth column marks boxes to ignore (COCO's `iscrowd`). `decode` returns the
    detections, shape (n, k, 6) or n arrays of shape (k, 6): the corners, the score and the class.
    Its `outputs` are an array, or with several outputs a mapping from their names. Without `decode`
    the only output has that form, or outputs are named boxes, scores and, if a box has one score,
    classes. Precision is averaged over overlaps (IoU) of 0.5 to 0.95, or of `overlap` alone.
    Classes with fewer than 20 boxes are reported, and not judged.
    """
    return _of_boxes(MetricKind.MAP_COCO, decode, of, overlap, name, limits)


def map_voc(
    decode: Function | None = None,
    *,
    of: int | str | None = None,
    overlap: float = 0.5,
    name: str = "map_voc",
    **limits: Unpack[Limits],
) -> Metric:
    """Mean average precision of boxes as PASCAL VOC defines it since 2010: an area under a curve.

    A detection belongs to the box that it overlaps most, and a box counts once. Otherwise as
    `map_coco`; the labels' sixth column marks VOC's `difficult` boxes.
    """
    return _of_boxes(MetricKind.MAP_VOC, decode, of, overlap, name, limits)


def _of_boxes(
    kind: MetricKind,
    decode: Function | None,
    of: int | str | None,
    overlap: float | None,
    name: str,
    limits: Limits,
) -> Metric:
    if overlap is not None and not 0 < overlap <= 1:
        raise ConfigError(
            f"the overlap of {name} is an intersection over union",
            expected="above 0, and at most 1",
            got=repr(overlap),
        )
    owner = f"{kind}(decode)"
    return Metric(
        name=name,
        kind=kind,
        better=Better.HIGHER,
        function=_validated(decode, owner, _DECODE_PARAMETERS) if decode else None,
        of=of,
        overlap=overlap,
        bounded=True,
        **limits,
    )


def mean(
    name: str,
    per_sample: Function,
    *,
    better: Literal["higher", "lower"],
    bounded: bool = False,
    **limits: Unpack[Limits],
) -> Metric:
    """Mean of a function that returns a number for each sample, shape (n,).

    It is called on a part of the evaluation split at a time, which bounds the memory. `bounded`
    states that each number lies between 0 and 1.
    """
    return Metric(
        name=name,
        kind=MetricKind.MEAN,
        better=_direction(name, better),
        function=_validated(per_sample, f"mean({name!r}, ...)"),
        bounded=bounded,
        **limits,
    )


def custom(
    name: str,
    function: Function,
    *,
    better: Literal["higher", "lower"],
    bounded: bool = False,
    **limits: Unpack[Limits],
) -> Metric:
    """Any function of whole arrays that returns one number, such as a rank correlation.

    It is called about 550 times for each artifact, on samples drawn from the evaluation split
    (bootstrap). It returns NaN for samples without a value. `bounded` states that its values lie
    between 0 and 1.
    """
    return Metric(
        name=name,
        kind=MetricKind.CUSTOM,
        better=_direction(name, better),
        function=_validated(function, f"custom({name!r}, ...)"),
        bounded=bounded,
        **limits,
    )


def _direction(name: str, better: str) -> Better:
    if better not in tuple(Better):
        raise ConfigError(
            f"the metric {name} needs to know whether higher or lower is better",
            expected="better='higher' or better='lower'",
            got=repr(better),
        )
    return Better(better)


def _validated(function: Function, owner: str, allowed: tuple[str, ...] = PARAMETERS) -> Function:
    """Return the function. Raises ConfigError if it has other parameters, or no name."""
    try:
        names = tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # no function, or one that is not written in Python
        names = ()
    if "outputs" not in names or not set(names) <= set(allowed):
        raise ConfigError(
            f"the function of {owner} takes the parameters {', '.join(names) or 'none'}",
            expected=f"parameters named {', '.join(allowed)}; the first is required",
            got=repr(function),
        )
    if not getattr(function, "__qualname__", "").isidentifier():
        raise ConfigError(
            f"the function of {owner} is not written with def at the top of a module",
            expected="a named function, since its source is compared with the base",
            got=repr(function),
        )
    return function

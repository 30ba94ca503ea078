"""Metrics other than top-1, for `Budget(metrics=(...))`: each is a name, a computation and limits.

Limits are plain numbers in the metric's own unit: `least` (a floor), `most` (a ceiling), `loss`
(how much worse than the float reference), `class_loss` and `slice_loss` (the worst class, the worst
slice), `regression` (how much worse than the merge base). Of `top_k` they are quantities in per
cent and points. ConfigError for a limit in a direction that the metric does not have.

A function of the user's own is a named one, whose source is part of what a change may loosen. It
asks for what it takes by the names of its parameters: `outputs`, real values, float32, shape
(n, ...); `labels`, as the data set has them; `inputs`, as the network is fed them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, Unpack

from litegate.core.errors import ConfigError
from litegate.spec.metric import Better, Limits, Metric, MetricKind

ASKED = ("outputs", "labels", "inputs")
"""What a function of the user's own may ask for."""

Function = Callable[..., Any]


def top_k(k: int, *, name: str = "", **limits: Unpack[Limits]) -> Metric:
    """Share of samples whose class is among the k highest scores; of equal scores the lower index.

    Floors are `percent`, losses `points`. ConfigError for a k below 1.
    """
    if k < 1:
        raise ConfigError("top_k(k) counts classes", expected="at least 1", got=repr(k))
    kind, higher = MetricKind.TOP_K, Better.HIGHER
    return Metric(name=name or f"top_{k}", kind=kind, better=higher, k=k, bounded=True, **limits)


def f1(
    *,
    of: int | str | None = None,
    threshold: float | None = None,
    name: str = "f1",
    **limits: Unpack[Limits],
) -> Metric:
    """F1, ``2 tp / (2 tp + fp + fn)``: of one class, by number or name, or the mean over classes.

    The mean (macro) leaves out a class that is neither there nor answered. A network with a single
    output says class 1 from `threshold` on.
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
    """Area under the ROC curve: how often a sample of a class outscores one that is not of it.

    Ties count half (Mann and Whitney 1947). The score is what `score` gives, shape (n,), such as an
    autoencoder's reconstruction error; or the class's own output, of two outputs its lead over the
    other. `of` is the class's label.
    """
    return Metric(
        name=name,
        kind=MetricKind.AUC,
        better=Better.HIGHER,
        function=_asking(score, "auc(score=...)") if score else None,
        of=of,
        bounded=True,
        **limits,
    )


def mse(*, name: str = "mse", **limits: Unpack[Limits]) -> Metric:
    """Mean squared error of the outputs against labels of the same shape, in the label's square."""
    return Metric(name=name, kind=MetricKind.MSE, better=Better.LOWER, **limits)


def rmse(*, name: str = "rmse", **limits: Unpack[Limits]) -> Metric:
    """Root of the mean squared error, in the label's own unit."""
    return Metric(name=name, kind=MetricKind.RMSE, better=Better.LOWER, **limits)


def mae(*, name: str = "mae", **limits: Unpack[Limits]) -> Metric:
    """Mean absolute error of the outputs against labels of the same shape, in the label's unit."""
    return Metric(name=name, kind=MetricKind.MAE, better=Better.LOWER, **limits)


def iou(
    *,
    of: int | str | None = None,
    threshold: float | None = None,
    ignore: int | None = None,
    name: str = "iou",
    **limits: Unpack[Limits],
) -> Metric:
    """Intersection over union of masks: of one class, or the mean over the classes that occur.

    Outputs have shape (n, ..., classes), labels are integers of shape (n, ...); each pixel is of
    the class with the highest score. Intersections and unions are added up over all samples first
    (Everingham et al. 2010, VOC). A single channel says class 1 from `threshold` on. Pixels
    labelled `ignore` do not count.
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


def mean(
    name: str,
    per_sample: Function,
    *,
    better: Literal["higher", "lower"],
    bounded: bool = False,
    **limits: Unpack[Limits],
) -> Metric:
    """The average of a function that gives a number for each sample, shape (n,).

    It is called on parts of the evaluation split, so that memory stays flat. `bounded` says that
    each number lies between 0 and 1.
    """
    return Metric(
        name=name,
        kind=MetricKind.MEAN,
        better=_direction(name, better),
        function=_asking(per_sample, f"mean({name!r}, ...)"),
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
    """Any function of whole arrays that gives one number, such as a mean average precision.

    It is called some 550 times for each artifact, on samples drawn from the evaluation split; a NaN
    says that those samples have no value. `bounded` says that its values lie between 0 and 1.
    """
    return Metric(
        name=name,
        kind=MetricKind.CUSTOM,
        better=_direction(name, better),
        function=_asking(function, f"custom({name!r}, ...)"),
        bounded=bounded,
        **limits,
    )


def _direction(name: str, better: str) -> Better:
    if better not in tuple(Better):
        raise ConfigError(
            f"the metric {name} must say which way it improves",
            expected="better='higher' or better='lower'",
            got=repr(better),
        )
    return Better(better)


def _asking(function: Function, whose: str) -> Function:
    """The function itself; ConfigError where it asks for what there is not, or has no name."""
    try:
        asked = tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # no function, or one that is not written in Python
        asked = ()
    if "outputs" not in asked or not set(asked) <= set(ASKED):
        raise ConfigError(
            f"the function of {whose} asks for {', '.join(asked) or 'nothing'}",
            expected=f"parameters named {', '.join(ASKED)}: the first of them always, for it is "
            "what is measured",
            got=repr(function),
        )
    if not getattr(function, "__qualname__", "").isidentifier():
        raise ConfigError(
            f"the function of {whose} is not written with def at the top of a module",
            expected="a named function: its source is part of what a change may loosen",
            got=repr(function),
        )
    return function
